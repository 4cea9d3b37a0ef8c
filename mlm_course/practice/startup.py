"""Run by `make lab` in each new kernel, so that a missing name is explained before any import."""


def _explain(result):
    import sys

    if type(result.error_in_exec) is NameError and "mlm_course.practice" not in sys.modules:
        from mlm_course.practice.notebook import after_cell

        after_cell(result)


if "get_ipython" in globals():  # not in a plain Python
    globals()["get_ipython"]().events.register("post_run_cell", _explain)
del _explain  # these are the notebook's own names
