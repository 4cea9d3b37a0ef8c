"""What an instructor needs: pages to teach from, notebooks to hand out, and notebooks judged.

plan.py         a lesson's page for whoever teaches it
handing_out.py  some of the lessons as a folder for a class
submissions.py  notebooks that students handed in, from folders and zip files
written.py      what of a notebook is run: its functions, and what they need
suspicion.py    what a person should look at before a pass counts
confinement.py  Linux: namespaces, Landlock, limits, another user
wire.py         results of a student's function as text, and back, without trusting either
worker.py       the process that runs one student's functions
runs.py         starts and ends such processes, and gathers what they send
judging.py      results against the course's own: the status, and which mistake
grading.py      a class's notebooks, judged
tables.py       grades.csv, lms.csv, and who is who
pages.py        class.html and a page for each student
"""
