"""The review desk: where merchandisers settle flagged shots.

How a page is added:

1. A module `packline/review/<noun>_page.py` with ``router = APIRouter()``; its functions are plain ``def``
   (they run in threads) and take ``request: Request, desk: Desk, visitor: Viewer`` (or ``Reviewer``,
   ``Admin``) from `packline.review.guard`: the role that is needed is the type of the parameter.
2. It returns ``desk.page(request, visitor, "<noun>.html", name=value, ...)``; the template in `templates/`
   extends "base.html" (blocks: title, styles, main, scripts). Everything is escaped, an absent name is an
   error, and nothing inline runs: no style attribute, no <script> with text, no on... attribute.
3. Style and script are files in `static/`, linked with ``{{ static("name.css") }}``; a script reads its data
   from ``data-`` attributes and makes nodes with textContent, never with innerHTML.
4. A POST needs ``<input type="hidden" name="csrf" value="{{ visitor.csrf }}">``, or from a script the header
   ``X-CSRF-Token`` (``document.body.dataset.csrf``); it is refused otherwise, before your function runs.
5. Pictures: ``{{ image(candidate_id, kind) }}`` and ``{{ thumbnail(candidate_id, kind) }}`` give signed URLs;
   `packline.review.images` lists the kinds. No path ever comes from a request.
6. `packline/review/app.py` lists the router in `PAGES`.
"""
