"""The server of the page. Neither it nor the browser contacts another machine, and it leaves no files."""
import os
import signal
import socket
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from utils import errors
from utils.errors import UserError

MAX_UPLOAD = "40mb"
PRIVACY = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
# what the browser may load
POLICY = ("default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
          "style-src 'self' 'unsafe-inline'; frame-ancestors 'self'; form-action 'self'; base-uri 'self'")
HEADERS = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer"),
           (b"x-dns-prefetch-control", b"off")]
LOCAL = ("127.0.0.1", "localhost")
STYLE = Path(__file__).with_name("page.css")


def serve(make_studio, host, port, log):
    """Serve the page until Ctrl-C, SIGTERM or SIGHUP; `make_studio()` makes the :class:`photo.web.studio.Studio`.

    Raises :class:`UserError` if Gradio is not installed or the address cannot be used; port 0 takes a free one.
    """
    with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(prefix="actvae_page_", ignore_cleanup_errors=True) as root:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        root = Path(root).resolve()
        os.environ |= PRIVACY | {"GRADIO_TEMP_DIR": str(root / "uploads")}      # before Gradio is imported
        try:
            import uvicorn

            from photo.web.page import build_page
        except ModuleNotFoundError as error:
            raise UserError(f"the page needs {error.name}, which is not installed: run make app, or "
                            "pip install -r requirements-app.txt") from None
        try:
            listening = socket.create_server((host, port))
        except (OSError, OverflowError) as error:
            raise UserError(f"--host {host} --port {port}: no server can listen there "
                            f"({getattr(error, 'strerror', None) or error})") from None
        app = web_app(build_page(make_studio(), root), root, host)
        log.info("the page: http://%s:%d (Ctrl-C ends it)", host, listening.getsockname()[1])
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        thread.join()
    log.info("the page is closed, and what was uploaded is deleted")
    errors.leave = os._exit                              # otherwise Python would wait until a clip is rendered
    return 0


def web_app(page, root, host):
    """The page as an ASGI application that serves files below `root`."""
    import gradio as gr
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    app = FastAPI(openapi_url=None)
    if host in LOCAL:                                    # against DNS rebinding
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=LOCAL)
    app.add_middleware(WithHeaders)
    look = gr.themes.Base(primary_hue="orange", neutral_hue="zinc", font=["system-ui", "sans-serif"],
                          font_mono=["ui-monospace", "monospace"])
    return gr.mount_gradio_app(
        app, page, "/", allowed_paths=[str(root)], max_file_size=MAX_UPLOAD, show_error=False, footer_links=[], run_history=False,
        ssr_mode=False, pwa=False, mcp_server=False, enable_monitoring=False, theme=look, css_paths=[STYLE],
        js="() => document.body.classList.add('dark')")


class WithHeaders:
    """ASGI middleware that adds HEADERS to each response."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)
        await self.app(scope, receive, send_with_headers)
