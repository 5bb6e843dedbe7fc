"""Write the pages that are made from the code: ``python -m tests.docs``."""

from tests.docs import made

for path, page in made.PAGES.items():
    path.write_text(page())
