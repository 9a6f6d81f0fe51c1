"""The review page in Debian's chromium, by mouse and keys. A request that leaves the service, an error on the page and a breach of its
policy fail every test. Needs SPINERT_BINARY; SPINERT_SCREENSHOTS: a folder for pictures of the page."""

import contextlib
import os
import shutil
import sys
import unittest
from pathlib import Path

try:
    import axe_playwright_python, fastapi, numpy, uvicorn  # noqa
    from playwright.sync_api import Page, expect, sync_playwright
except ImportError as missing:
    raise unittest.SkipTest(f"this Python lacks {missing.name}") from None

from review_data import FIRST, SECOND, WithData, hounsfield, report

CHROMIUM, MISSING = shutil.which("chromium"), "Debian's package chromium is not installed"
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
TOKEN = "0123456789abcdef"
HOSTILE = "<img src=x onerror=alert(1)>"
FAILED = {"state": "failed", "message": "cannot be read", "studies": [{"folder": "."}], "files": [{"client_name": HOSTILE}]}


@unittest.skipUnless(CHROMIUM, MISSING)
class ReviewPage(WithData):
    @classmethod
    def setUpClass(cls) -> None:
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        play = stack.enter_context(sync_playwright())
        cls.browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        stack.callback(cls.browser.close)

    def page(self, address: str = "", who: str = "anna", **given) -> Page:
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | given)
        self.addCleanup(context.close)
        page, wrong = context.new_page(), []
        self.addCleanup(lambda: self.assertEqual(wrong, []))
        page.on("request", lambda one: None if one.url.startswith((self.url, f"blob:{self.url}")) else wrong.append(one.url))
        page.on("pageerror", lambda one: wrong.append(str(one)))
        page.on("console", lambda one: wrong.append(one.text) if "Content Security" in one.text else None)
        page.add_init_script(f"localStorage.setItem('spinert.reviewer', '{who}')")
        page.goto(f"{self.url}/review/#/{address}")
        return page

    def editor(self, job: str, **given) -> Page:
        page = self.page(f"{job}/1", **given)
        self.shown(page, FIRST)
        return page

    def shown(self, page: Page, source: str) -> None:
        expect(page.get_by_role("heading", name=source)).to_be_visible()
        expect(page.locator(".over")).to_have_text("")

    def press(self, page: Page, *keys: str) -> None:
        for key in keys:
            page.keyboard.press(key)

    def last(self, page: Page, job: str, count: int) -> dict:
        """The last of so many edits, when all are saved."""
        for _ in range(100):
            if len(self.journal(job)) >= count:
                break
            page.wait_for_timeout(100)
        expect(page.locator("#saved")).to_have_text("All saved")
        self.assertEqual(len(self.journal(job)), count)
        return self.journal(job)[-1]

    def at(self, page: Page, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the first slice lies on the page while it is fitted."""
        stage, one = page.locator(".stage").bounding_box(), report()["slices"][0]
        scale = min(stage["width"] / one["width"], stage["height"] / one["height"])
        return (stage["x"] + stage["width"] / 2 + (x - one["width"] / 2) * scale, stage["y"] + stage["height"] / 2 + (y - one["height"] / 2) * scale)

    def drag(self, page: Page, start, end, button: str = "left") -> None:
        page.mouse.move(*start)
        page.mouse.down(button=button)
        page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        page.mouse.move(*end)
        page.mouse.up(button=button)

    def near(self, got, want, delta: float = 0.01) -> None:
        self.assertLess(max(abs(a - b) for a, b in zip(got, want, strict=True)), delta, (got, want))

    def looks(self, page: Page, name: str) -> None:
        page.evaluate(AXE)
        self.assertEqual(page.evaluate("axe.run().then((found) => found.violations.map((one) => [one.id, one.nodes.map((node) => node.html)]))"), [])
        if folder := os.environ.get("SPINERT_SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{name}.png")

    def test_list(self) -> None:
        self.job(1, lambda own, _: own.update(alert="negative"))
        self.job(2, lambda own, _: own.update(alert="review"))
        positive = self.job(3)
        self.job(4, **FAILED)
        self.job(5, state="cancelled", studies=[])
        self.serve()
        page = self.page()
        expect(page.locator("td .pill")).to_have_text(["positive", "review", "negative", "cancelled", "failed"])
        expect(page.locator("section").last.locator("h2")).to_have_text("NOT diagnosed: no result 2")
        expect(page.locator("section").last.get_by_role("link")).to_have_count(0)
        expect(page.get_by_text(HOSTILE)).to_be_visible()
        page.get_by_label("Find").fill("study 2")
        expect(page.locator("td .pill")).to_have_text(["review"])
        page.get_by_label("Find").fill("")
        page.locator("main").focus()
        self.press(page, "j", "Enter")
        self.shown(page, FIRST)
        self.assertIn(positive, page.url)

    def test_viewer(self) -> None:
        values = []
        job = self.job(1, lambda own, folder: values.append(hounsfield(own, folder)))
        self.serve()
        page = self.editor(job)
        reads, window, (height, width) = page.get_by_label("Pixel"), page.get_by_label("Window", exact=True), values[0].shape
        for x, y in ((0, 0), (3, 1), (100, 202), (width - 1, height - 1), (77, 333), (201, 404)):
            page.mouse.move(*self.at(page, x + 0.5, y + 0.5))
            expect(reads).to_have_text(f"x {x}, y {y}: {values[0][y, x]} HU")
        expect(window).to_have_text("Level 400, width 1800 HU")
        self.press(page, "w")
        expect(window).to_have_text("Level 40, width 400 HU")
        middle = self.at(page, width / 2, height / 2)
        self.drag(page, middle, (middle[0] + 100, middle[1]), "right")
        expect(window).to_have_text("Level 40, width 500 HU")
        page.mouse.wheel(0, 100)
        self.shown(page, SECOND)
        self.press(page, "PageUp")
        self.shown(page, FIRST)
        page.mouse.move(*middle)
        before, corner = reads.inner_text(), self.at(page, 20.5, 30.5)
        page.keyboard.down("Control")
        page.mouse.wheel(0, -300)
        page.keyboard.up("Control")
        page.mouse.move(middle[0] + 0.2, middle[1])
        expect(reads).to_have_text(before)  # the point under the pointer stays
        page.mouse.move(*corner)
        expect(reads).not_to_contain_text("x 20, y 30:")
        self.press(page, "0")
        page.mouse.move(*corner)
        expect(reads).to_contain_text("x 20, y 30:")

    def test_edit_by_mouse(self) -> None:
        job = self.job()
        self.serve()
        page = self.editor(job)
        x1, y1, x2, y2 = report()["slices"][0]["vertebrae"][1]["box"]
        self.drag(page, self.at(page, (x1 + x2) / 2, (y1 + y2) / 2), self.at(page, (x1 + x2) / 2 - 20, (y1 + y2) / 2 + 10))
        box = self.last(page, job, 1)["state"]["box"]
        self.near(box, (x1 - 20, y1 + 10, x2 - 20, y2 + 10), 0.7)
        self.drag(page, self.at(page, *box[2:]), self.at(page, box[2] + 12, box[3] + 8))
        self.near(self.last(page, job, 2)["state"]["box"], (box[0], box[1], box[2] + 12, box[3] + 8), 0.7)
        page.get_by_role("button", name="Add box").click()
        self.drag(page, self.at(page, 20, 20), self.at(page, 60, 70))
        added = self.last(page, job, 3)
        self.near(added["state"]["box"], (20, 20, 60, 70), 0.7)
        self.assertEqual(added["state"]["labels"], [])
        self.press(page, "a")
        expect(page.locator("#said")).to_contain_text("new 1 needs labels first")
        page.get_by_role("group", name="Labels of vertebra new 1").get_by_role("button", name="OVCF").click()
        self.assertEqual(self.last(page, job, 4)["state"]["labels"], ["OVCF"])
        page.get_by_role("button", name="Remove").click()
        self.assertIsNone(self.last(page, job, 5)["state"])
        page.reload()
        self.shown(page, FIRST)
        for text in ("corrected", "removed"):
            expect(page.locator(".row").filter(has_text=text)).to_have_count(1)

    def test_edit_by_keys_and_undo(self) -> None:
        job, first = self.job(), report()["slices"][0]["vertebrae"][0]
        self.serve()
        page = self.editor(job)
        self.press(page, "n", "ArrowRight")
        moved = self.last(page, job, 1)["state"]["box"]
        self.near(moved, [one + (i + 1) % 2 for i, one in enumerate(first["box"])])
        page.wait_for_timeout(1000)  # the next one is a step of its own
        self.press(page, "Shift+ArrowDown")
        self.near(self.last(page, job, 2)["state"]["box"], [*moved[:3], moved[3] + 1])
        self.assertEqual(first["labels"], ["normal"])
        self.press(page, "1", "4")
        self.assertEqual(self.last(page, job, 4)["state"]["labels"], ["OVCF", "KD"])
        self.press(page, "b", "Enter", "Delete")
        self.assertIsNone(self.last(page, job, 6)["state"])
        count = 6
        while page.get_by_role("button", name="Undo").is_enabled():
            self.press(page, "z")
            count += 1
            state = self.last(page, job, count)["state"]
        self.assertEqual(state["labels"], ["normal"])
        self.near(state["box"], first["box"])
        self.press(page, "y")
        self.assertEqual(self.last(page, job, count + 1)["state"]["box"], moved)
        self.press(page, "a")
        self.shown(page, SECOND)
        self.assertTrue(self.last(page, job, count + 2)["accepted"])
        self.press(page, "a")
        self.last(page, job, count + 3)
        self.press(page, "q")
        expect(page.get_by_text("accepted, 2 of 2 slices; anna")).to_be_visible()

    def test_two_reviewers(self) -> None:
        job = self.job()
        self.serve()
        anna, ben = self.editor(job), self.editor(job, who="ben")
        for page, key in ((anna, "1"), (ben, "5")):  # neither hears of the other
            page.route("**/review?study=1", lambda route: route.continue_() if route.request.method == "POST" else route.abort())
            self.press(page, "n", key)
            self.last(anna, job, 1)
        expect(ben.get_by_role("dialog")).to_contain_text("anna changed vertebra 1")
        self.looks(ben, "conflict")
        ben.get_by_role("button", name="Keep mine").click()
        self.assertEqual(self.last(ben, job, 2)["who"], "ben")
        self.press(anna, "2")
        anna.get_by_role("button", name="Take that of ben").click()
        self.last(anna, job, 2)
        for page in (anna, ben):
            page.unroute("**/review?study=1")
        self.press(ben, "n", "3")
        self.last(ben, job, 3)
        self.press(anna, "4")  # of another vertebra: both hold, and each sees the other's
        self.last(anna, job, 4)
        for page in (anna, ben):
            expect(page.locator(".row").filter(has_text="corrected")).to_have_count(2)

    def test_killed_service(self) -> None:
        job, service = self.job(), self.serve()
        page = self.editor(job)
        service.kill()
        service.wait()
        self.press(page, "n", "1", "n", "2")
        expect(page.locator("#saved")).to_contain_text("2 not saved: the service does not answer")
        self.serve(port=self.port)
        page.reload()
        self.shown(page, FIRST)
        self.last(page, job, 2)
        self.assertEqual({line["vertebra"] for line in self.journal(job)}, {"1", "2"})

    def test_leaving_a_study_at_once(self) -> None:
        job = self.job()
        self.serve()
        page = self.editor(job)
        page.route("**/review?study=1", lambda route: route.abort())
        self.press(page, "n", "1", "q")
        waits = page.get_by_text("1 of your changes not saved yet")
        expect(waits).to_be_visible()
        page.unroute("**/review?study=1")
        expect(waits).to_have_count(0, timeout=20000)  # sent all the same
        self.assertEqual(self.journal(job)[0]["vertebra"], "1")

    def test_token_and_old_result(self) -> None:
        def old(own: dict, _) -> None:
            own["volatile"]["files"] = [one for one in own["volatile"]["files"] if not one["name"].startswith("slice-")]
        job = self.job(1, old)
        self.serve(token=TOKEN)
        page = self.page(f"{job}/1")
        for token in ("wrong", TOKEN):
            page.get_by_label("This service wants a token").fill(token)
            page.get_by_role("button", name="Continue").click()
        self.shown(page, FIRST)
        expect(page.get_by_text("Only to look at")).to_be_visible()
        self.press(page, "n", "1", "Delete", "ArrowLeft", "b", "a")
        page.reload()  # the token stays
        self.shown(page, FIRST)
        self.assertEqual(self.journal(job), [])

    def test_looks(self) -> None:
        def hostile(own: dict, _) -> None:
            own["slices"][0]["reasons"] = [{"code": "x", "text": HOSTILE}]
            own["slices"][0]["vertebrae"][1]["labels"] = []
        self.job(1, hostile)
        self.job(2, **FAILED)
        self.serve()
        for name, given in (("light", {}), ("dark", {"color_scheme": "dark"}), ("tablet", {"viewport": {"width": 768, "height": 1024}, "has_touch": True})):
            page = self.page(**given)
            expect(page.locator(".pill")).to_have_count(2)
            self.looks(page, f"list-{name}")
            page.get_by_role("link", name="study 1").click()
            self.shown(page, FIRST)
            expect(page.get_by_text(HOSTILE)).to_be_visible()
            page.locator(".row").nth(1).click()
            self.looks(page, f"viewer-{name}")
            self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), page.viewport_size["width"])
            self.press(page, "?")
            expect(page.get_by_role("dialog")).to_contain_text("Shift+ArrowUp")
            self.looks(page, f"keys-{name}")


if __name__ == "__main__":
    if not CHROMIUM:
        print(f"test_review_page.py: Skipped: {MISSING}")
        sys.exit(77)
    unittest.main()
