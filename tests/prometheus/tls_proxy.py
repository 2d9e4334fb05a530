"""A proxy as people put in front of the daemon: it ends TLS and asks for a password.

    tls_proxy.py PORT CERTIFICATE KEY PASSWORD TARGET
"""

import base64
import http.server
import ssl
import sys
import urllib.request

port, certificate, key, password, target = sys.argv[1:]
EXPECTED = "Basic " + base64.b64encode(b"prometheus:" + password.encode()).decode()
# The daemon is on this machine, whatever the environment says of proxies.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.headers["Authorization"] != EXPECTED:
            self.send_error(401)
            return
        accept = {"Accept": self.headers["Accept"]}
        with DIRECT.open(urllib.request.Request(target + self.path, headers=accept)) as answer:
            body = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
