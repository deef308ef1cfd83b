"""docs/coverage.md must tell what the tests saw. The last test of a run (tests/conftest.py puts it there)."""

import sys

import pytest
from harness.recorder import RECORDER
from harness.server import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import coverage_page


def seen_in_this_run():
    return {key: {coverage_page.plain_name(t) for t in tests} for key, tests in RECORDER.operations().items()
            if key[0] in coverage_page.PROMISED}


def test_rendering_and_reading_agree():
    seen = {("s3", "PutObject"): {"tests/a.py::test_x", "tests/b.py::test_put_object"}, ("sts", "AssumeRole"): {"t::u"}}
    rows = coverage_page.read_page(coverage_page.render(seen))
    assert rows["s3", "PutObject"] == "tests/b.py::test_put_object"
    assert rows["s3", "GetObject"] is None and rows["sts", "AssumeRole"] == "t::u"
    assert sum(test is not None for test in rows.values()) == 2


@pytest.mark.runs_last
def test_the_committed_page_is_not_stale(request):
    if not request.config.stash["whole_run"]:
        pytest.skip("only a whole run of the tests sees every operation")
    page = coverage_page.read_page(coverage_page.PAGE.read_text())
    seen = seen_in_this_run()
    missing = sorted(key for key in seen if page.get(key) is None)
    assert not missing, f"answered in this run, but not 'works' in docs/coverage.md (run tools/coverage_page.py): {missing}"
    wrong = sorted((key, test) for key, test in page.items() if test is not None and test not in seen.get(key, ()))
    assert not wrong, f"docs/coverage.md names tests that did not show it (run tools/coverage_page.py): {wrong}"
