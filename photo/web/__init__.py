"""A page in the browser on which a photo becomes clips (`app.py`). Only `page.py` and `server.py` need Gradio."""
