"""The configuration files of a stand."""

from .keys import AUDIENCE, ISSUER, RSA_ISSUER
from .process import ROOT, WWW

NGINX_MODULES = "/usr/lib/nginx/modules"
HTTPD_MODULES = "/usr/lib/apache2/modules"


def hie_yaml(stand):
    o = stand.options
    lines = f"""\
node: {stand.node}
database:
  conninfo: "{o.get('conninfo') or stand.postgres.conninfo('hie_app')}"
  admin_conninfo: "{stand.postgres.conninfo('hie_owner')}"
  connections: {o.get('connections', 16)}
  acquire_timeout: {o.get('acquire_timeout', 2000)}
  statement_timeout: {o.get('statement_timeout', 2500)}
redis:
  url: "redis://127.0.0.1:{stand.ports['redis']}/0"
jobs:
  threads: {o.get('nginx_threads', 8)}
  queue: {o.get('nginx_queue', 1024)}
journal:
  directory: "{stand.journal}"
  segment: {o.get('segment', '64m')}
access:
  audience: "{AUDIENCE}"
  leeway: 5
  issuers:
    - issuer: "{ISSUER}"
      key_file: "{stand.keys}/es256.pub.pem"
      algorithm: ES256
      administrators: true
    - issuer: "{RSA_ISSUER}"
      key_file: "{stand.keys}/rs256.pub.pem"
      algorithm: RS256
  local:
    subject: "local"
    organizations: [{o.get('local_organizations', '')}]
  sign:
    key_file: "{stand.keys}/es256.pem"
    issuer: "{ISSUER}"
consent:
  default: {o.get('consent', 'permit')}
fhir:
  max_body: {o.get('max_body', '8m')}
  max_binary: {o.get('max_binary', '32m')}
  temp_directory: "{o.get('temp_directory', '/var/tmp')}"
  default_count: {o.get('default_count', 20)}
  timeout: {o.get('timeout', 30000)}
{o.get('fhir', '')}
gateway:
  max_body: {o.get('gateway_max_body', '4m')}
mllp:
  max_message: {o.get('max_message', '1m')}
  identifier_system: "urn:id:"
  timezone: "+00:00"
"""
    return lines


def nginx_conf(stand):
    o, p, d = stand.options, stand.ports, stand.dir
    n = d / "nginx"
    user = f"user {WWW};" if ROOT else ""
    temps = "\n".join(f"    {k}_temp_path {n}/{k};" for k in
                      ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    base = f"""\
{user}
worker_processes {o.get('nginx_workers', 2)};
worker_rlimit_nofile 8192;
pid {n}/nginx.pid;
error_log {d}/logs/nginx.log {o.get('nginx_log', 'notice')};
load_module {NGINX_MODULES}/ngx_stream_module.so;
load_module {stand.modules}/ngx_http_hie_module.so;
load_module {stand.modules}/ngx_stream_hie_mllp_module.so;
{o.get('nginx_main', '')}
events {{
    worker_connections 1024;
}}
"""
    locations = f"""\
        location /fhir {{
            hie_fhir on;
            %s
        }}

        location /gateway/ {{
            hie_consent on;
            %s
            proxy_pass http://backend/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_connect_timeout 2s;
            proxy_read_timeout 5s;
        }}
"""
    return base + f"""
http {{
    access_log off;
{temps}
    keepalive_timeout 300s;
    keepalive_requests 100000000;
    client_max_body_size {o.get('client_max_body', '64m')};
    {o.get('nginx_http', '')}
    hie_config {d}/hie.yaml;

    upstream backend {{
        server 127.0.0.1:{p['backend']};
        keepalive 16;
    }}

    server {{
        listen 127.0.0.1:{p['nginx']} backlog=1024;
{locations % (o.get('nginx_fhir', ''), '')}
        {o.get('nginx_server', '')}
    }}

    server {{
        listen 127.0.0.1:{p['nginx_local']};
{locations % ('hie_auth none;', 'hie_auth none;')}
    }}

    server {{
        listen 127.0.0.1:{p['nginx_tls']} ssl http2;
        ssl_certificate {stand.keys}/server.crt;
        ssl_certificate_key {stand.keys}/server.key;
        ssl_client_certificate {stand.keys}/ca.crt;
        ssl_verify_client optional;
{locations % ('', '')}
    }}
}}

stream {{
    hie_config {d}/hie.yaml;
    {o.get('nginx_stream', '')}

    server {{
        listen 127.0.0.1:{p['mllp']};
        hie_mllp on;
        hie_mllp_timeout {o.get('mllp_timeout', '60s')};
    }}

    server {{
        listen 127.0.0.1:{p['mllp_tls']} ssl;
        ssl_certificate {stand.keys}/server.crt;
        ssl_certificate_key {stand.keys}/server.key;
        ssl_client_certificate {stand.keys}/ca.crt;
        ssl_verify_client on;
        hie_mllp on;
    }}

    server {{
        listen 127.0.0.1:{p['mllp_proxy']} proxy_protocol;
        set_real_ip_from 127.0.0.1;
        hie_mllp on;
    }}
}}
"""


def httpd_conf(stand):
    o, p, d = stand.options, stand.ports, stand.dir
    h = d / "httpd"
    user = f"User {WWW}\nGroup {WWW}" if ROOT else ""
    children = o.get("httpd_children", 3)
    threads = o.get("httpd_threads", 25)
    modules = "\n".join(
        f"LoadModule {name}_module {HTTPD_MODULES}/mod_{name}.so"
        for name in (f"mpm_{o.get('httpd_mpm', 'event')}", "authz_core",
                     "authn_core", "reqtimeout", "setenvif", "headers",
                     "proxy", "proxy_http", "socache_shmcb", "ssl", "http2"))
    limit = max(children, o.get("httpd_limit", 8))
    if o.get("httpd_mpm") == "prefork":
        modules = "\n".join(m for m in modules.splitlines()
                            if "http2" not in m)
        processes = f"""\
MinSpareServers {children}
MaxSpareServers {children}
MaxRequestWorkers {limit}"""
    else:
        processes = f"""\
MinSpareThreads {threads}
MaxSpareThreads {threads * max(children, 8)}
ThreadsPerChild {threads}
ThreadLimit {max(threads, 25)}
MaxRequestWorkers {threads * limit}"""
    ours = "\n".join(f"LoadModule hie_{name}_module "
                     f"{stand.modules}/mod_hie_{name}.so"
                     for name in ("audit", "fhir", "consent"))
    locations = f"""\
    <Location "/fhir">
        HieFhir On
        %s
    </Location>
    <Location "/gateway">
        HieConsent On
        %s
        ProxyPreserveHost On
        ProxyPass "http://127.0.0.1:{p['backend']}" timeout=5\
 connectiontimeout=2 retry=0
    </Location>
"""
    return f"""\
ServerRoot {h}
DefaultRuntimeDir {h}
PidFile {h}/httpd.pid
Mutex sem default
ServerName localhost
ErrorLog {d}/logs/httpd.log
LogLevel {o.get('httpd_log', 'notice')}
{user}
{modules}
{ours}

StartServers {children}
ServerLimit {limit}
{processes}
MaxConnectionsPerChild 0
KeepAlive On
KeepAliveTimeout 300
MaxKeepAliveRequests 0
GracefulShutdownTimeout 20
ListenBacklog 1024
RequestReadTimeout header=20 body=20
{o.get('httpd_main', '')}

HieConfig {d}/hie.yaml

Listen 127.0.0.1:{p['httpd']}
Listen 127.0.0.1:{p['httpd_local']}
Listen 127.0.0.1:{p['httpd_tls']}

<VirtualHost 127.0.0.1:{p['httpd']}>
{locations % ('', '')}
{o.get('httpd_server', '')}
</VirtualHost>

<VirtualHost 127.0.0.1:{p['httpd_local']}>
{locations % ('HieAuth none', 'HieAuth none')}
</VirtualHost>

<VirtualHost 127.0.0.1:{p['httpd_tls']}>
    SSLEngine on
    SSLCertificateFile {stand.keys}/server.crt
    SSLCertificateKeyFile {stand.keys}/server.key
    SSLCACertificateFile {stand.keys}/ca.crt
    SSLVerifyClient optional
    {'' if o.get('httpd_mpm') == 'prefork' else 'Protocols h2 http/1.1'}
{locations % ('', '')}
</VirtualHost>
"""
