"""The exercises of the course: a folder for each lesson, in it a file for each exercise, and the quiz."""
