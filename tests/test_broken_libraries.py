"""A library that is there and cannot be loaded is an error of reading, told in one line."""

from __future__ import annotations

from xavinit.process import explain_error


def make_error(path: str | None) -> ImportError:
    return ImportError("a.so: cannot read file data", name="a", path=path)


def test_a_library_that_cannot_be_loaded() -> None:
    error, code = explain_error(make_error("/lib/a.so"))
    assert (str(error), code) == ("cannot load a: a.so: cannot read file data", 4)


def test_one_that_another_tells_of() -> None:
    page = ImportError("IMPORTANT:\n\nPLEASE READ THIS")
    page.__cause__ = make_error("/lib/a.so")
    error, code = explain_error(page)
    assert (str(error), code) == ("cannot load a: a.so: cannot read file data", 4)


def test_a_name_that_a_module_lacks_is_a_mistake_of_ours() -> None:
    unknown = ModuleNotFoundError("No module named a", name="a")
    for mistake in (make_error("/lib/a.py"), make_error(None), unknown):
        error, code = explain_error(mistake)
        assert str(error).startswith("internal error")
        assert code == 1


def test_a_module_of_python_s_own() -> None:
    error, code = explain_error(ModuleNotFoundError("No module named '_struct'", name="_struct"))
    assert (str(error), code) == ("cannot load _struct: No module named '_struct'", 4)
