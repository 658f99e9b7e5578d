# SPDX-License-Identifier: Apache-2.0
"""nginx and HAProxy as relays of one process each, to be measured beside ours."""
import pathlib
import shutil
import subprocess

NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port}{ssl};
    {certificate}
    location / {{
      proxy_pass http://127.0.0.1:{server_port};
      proxy_http_version 1.1; proxy_read_timeout 1h; proxy_buffering off;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
      proxy_set_header Host $host;
    }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 1000
defaults
  mode http
  timeout connect 10s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend in
  bind 127.0.0.1:{port}{ssl}
  default_backend out
backend out
  server one 127.0.0.1:{server_port}
"""


def start_nginx(folder: pathlib.Path, port: int, server_port: int,
                certificate: pathlib.Path | None = None) -> subprocess.Popen:
    folder.mkdir()
    text = NGINX.format(
        folder=folder, port=port, server_port=server_port, ssl=" ssl" if certificate else "",
        certificate=f"ssl_certificate {certificate}/tls.crt; "
                    f"ssl_certificate_key {certificate}/tls.key;" if certificate else "")
    (folder / "nginx.conf").write_text(text)
    return subprocess.Popen(["nginx", "-c", folder / "nginx.conf", "-p", folder, "-e", "stderr"])


def start_haproxy(folder: pathlib.Path, port: int, server_port: int,
                  certificate: pathlib.Path | None = None) -> subprocess.Popen:
    folder.mkdir()
    ssl = ""
    if certificate:
        both = folder / "both.pem"
        both.write_text((certificate / "tls.crt").read_text() +
                        (certificate / "tls.key").read_text())
        ssl = f" ssl crt {both}"
    (folder / "haproxy.cfg").write_text(HAPROXY.format(port=port, server_port=server_port, ssl=ssl))
    return subprocess.Popen(["haproxy", "-q", "-db", "-f", folder / "haproxy.cfg"])


def installed() -> dict:
    """Those of this machine, by name."""
    every = {"nginx": start_nginx, "haproxy": start_haproxy}
    return {name: start for name, start in every.items() if shutil.which(name)}
