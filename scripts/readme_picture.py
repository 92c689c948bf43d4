"""Make the README's picture: searches in the scenes that ravl draws, as Chromium shows them.

Run from the project's root: python scripts/readme_picture.py
"""

import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from ravl import Memory
from ravl.demo import scenes
from ravl.pages.search_page import Section, search_page
from ravl.retrieval import Query

OUT = Path("docs/search.jpg")
SHOWN = (
    (Query("something to drink"), "By text."),
    (Query("草地上的房子"), "By words, in Chinese: houses on a meadow."),
    (Query("at night", like="house/red-1"), "By picture and text together."),
)

with tempfile.TemporaryDirectory() as folder:
    base = Path(folder)
    with Memory.create(base / "scenes.ravl") as memory:
        memory.add(scenes.draw(base / "scenes"))
        sections = [Section(q, memory.search(q, k=6), note) for q, note in SHOWN]
        page = base / "index.html"
        page.write_text(search_page(memory, sections, "ravl: drawn scenes"), encoding="utf-8")
    picture = base / "page.png"
    subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--hide-scrollbars",
            "--window-size=1180,1590",
            f"--screenshot={picture}",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
    )
    OUT.parent.mkdir(exist_ok=True)
    Image.open(picture).convert("RGB").save(OUT, quality=85, optimize=True)
print(f"{OUT}: {OUT.stat().st_size / 1000:.0f} kB")
