"""Token texts that break pictures: markup, other directions, nothing at all."""

HOSTILE = [
    "</script><b id=x>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "<svg onload=alert(1)>",
    "&lt;b&gt;",
    "שלום",
    "\u202egnp.exe",
    "e\u0301\u0327",
    "\u0301",
    "👩‍🔬",
    "x" * 5000,
    "",
    "\n",
    " the",
    "\ud800",
    "\0",
    "${alert(1)}",
]
