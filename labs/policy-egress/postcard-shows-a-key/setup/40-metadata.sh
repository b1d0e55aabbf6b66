# What the owner of the machines answers on a link-local address, the same for each machine, and only on its own wire.
podwalk outside -- ip address replace 169.254.169.254/32 dev kind0
podwalk outside -- sh -c 'server=$(cat); setsid python3 -c "$server" >/dev/null 2>&1 &
  echo $! >/run/lab-metadata.pid' <<'PYTHON'
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = '{"Code": "Success", "AccessKeyId": "NODE5EXAMPLE", "SecretAccessKey": "not-for-postcards"}'


class Metadata(BaseHTTPRequestHandler):
    def do_GET(self):
        body = (KEY if self.path.endswith("/node") else "latest/meta-data/iam/security-credentials/node").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + 1))
        self.end_headers()
        self.wfile.write(body + b"\n")


ThreadingHTTPServer(("169.254.169.254", 80), Metadata).serve_forever()
PYTHON
tries=0
until podwalk node "$WORKER" -- curl -sfm1 -o /dev/null http://169.254.169.254/; do
  tries=$((tries + 1))
  [ $tries -lt 50 ]
  sleep 0.1
done
