"""The table of agnhost's subcommands: words, flags and defaults as the original's; the code is loaded when one runs."""

from __future__ import annotations

from podwalk.programs.cobra import Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from podwalk.programs.cobra import Run

VERSION = "2.57"


def _lazy(module: str, function: str) -> Run:
    def run(arguments: list[str], flags: dict[str, str]) -> None:
        loaded = __import__(f"podwalk.programs.{module}", fromlist=[function])
        getattr(loaded, function)(arguments, flags)

    return run


_NETEXEC = """Starts an HTTP(S) server on the given port, with these endpoints:

- /: the time of the request
- /clientip: the client's address and port
- /serverport: the port the request came in on
- /header: the value of the header "key", or all headers as JSON
- /dial: asks "host":"port" for "request", "tries" times (1), over "protocol" http (default) or udp, and answers
  JSON with "responses" and "errors"
- /echo: "msg", with the optional status "code"
- /exit: ends the server with "code" after "wait", allowing "timeout" for connections to close
- /healthz: 200 when the UDP server runs, else 412
- /readyz: as /healthz, and 503 once SIGTERM has come
- /hostname, /hostName: the server's hostname
- /redirect: to "location", with the optional status "code"
- /shell: runs "shellCommand" or "cmd" and answers JSON with "output" and "error"
- /shutdown: ends the server with exit code 0
- /upload: writes the file of a form below /uploads

The UDP server understands "hostname", "echo <msg>" and "clientip"; --udp-port -1 turns it off.
"""

_CONNECT = """Tries to open a TCP or UDP connection to the given host and port. An error is one line that begins with:

* UNKNOWN - not a network error (bad arguments, for example)
* TIMEOUT - the attempt timed out
* DNS - the name could not be resolved
* REFUSED - connection refused
* OTHER - another network error, such as "no route to host\""""

_TLS = (
    Flag("tls-cert-file", "string", "",
         "File containing an x509 certificate for HTTPS. (CA cert, if any, concatenated after server cert)"),
    Flag("tls-private-key-file", "string", "", "File containing an x509 private key matching --tls-cert-file"),
)  # fmt: skip

COMMANDS = (
    Command(
        "connect [host:port]", "Attempts a TCP, UDP or SCTP connection and returns useful errors", _CONNECT,
        _lazy("goclient", "connect"),
        (
            Flag("timeout", "duration", "0s", "Maximum time before returning an error"),
            Flag("protocol", "string", "tcp", "The protocol to use to perform the connection, can be tcp, udp or sctp"),
            Flag("udp-data", "string", "hostname", "The UDP payload send to the server"),
            Flag("sctp-data", "string", "hostname", "The SCTP payload send to the server"),
        ),
        1,
    ),
    Command("dns-server-list", "Prints the host's DNS Server list", "Prints the DNS Server list of this host.",
            _lazy("simple", "dns_server_list")),
    Command("dns-suffix", "Prints the host's DNS suffix list", "Prints the DNS suffixes of this host.",
            _lazy("simple", "dns_suffix")),
    Command("entrypoint-tester", "Prints the args it's passed and exits", "Prints the args it's passed and exits.",
            _lazy("simple", "entrypoint_tester"), (), -1),
    Command("etc-hosts", "Prints the host's /etc/hosts file", 'Prints the "hosts" file of this host.',
            _lazy("simple", "etc_hosts")),
    Command(
        "grpc-health-checking", "Starts a simple grpc health checking endpoint",
        "Serves the gRPC health check of --service on --port: SERVING, after --delay-unhealthy-sec NOT_SERVING, and\n"
        "NOT_FOUND for other services. /make-serving and /make-not-serving on --http-port force an answer.",
        _lazy("grpc_health", "run"),
        (
            Flag("port", "int", "5000", "Port number."),
            Flag("http-port", "int", "8080", "Port number for the /make-serving and /make-not-serving."),
            Flag("delay-unhealthy-sec", "int", "-1",
                 "Number of seconds to delay before start reporting NOT_SERVING, negative value indicates never."),
            Flag("service", "string", "", "Service name to register the health check for."),
        ),
    ),
    Command(
        "guestbook", "Creates a HTTP server with various endpoints representing a guestbook app",
        "Serves /get and /set of a store, /register for replicas, and /guestbook, which asks agnhost-primary to write\n"
        "and agnhost-replica to read.",
        _lazy("guestbook", "run"),
        (
            Flag("http-port", "string", "80", "HTTP Listen Port"),
            Flag("backend-port", "string", "6379", "Backend's HTTP Listen Port"),
            Flag("replicaof", "string", "", "The host's name to register to"),
        ),
    ),
    Command(
        "inclusterclient", 'Periodically poll the Kubernetes "/healthz" endpoint',
        'Asks the API server\'s "/healthz" with the token of the Pod it runs in, which shows when the token changes.',
        _lazy("forwarding", "inclusterclient"),
        (Flag("poll-interval", "int", "30", "poll interval of call to /healthz in seconds"),),
    ),
    Command("liveness", "Starts a server that is alive for 10 seconds",
            "A server that is alive for 10 seconds, then reports unhealthy for the rest of its existence.",
            _lazy("servers", "liveness")),
    Command(
        "logs-generator", "Outputs lines of logs to stdout uniformly",
        "Outputs <linesTotal> lines of logs to stdout uniformly for <duration>", _lazy("simple", "logs_generator"),
        (
            Flag("log-lines-total", "int", "0", "Total lines that should be generated by the end of the run", "t"),
            Flag("run-duration", "duration", "0s", "Total duration of the run", "d"),
        ),
    ),
    Command(
        "mounttest",
        "Creates files with given permissions and outputs FS type, owner, mode, permissions, contents of files",
        "Creates files with the given permissions; prints file system, owner, mode, permissions, content of files.",
        _lazy("volumes", "mounttest"),
        (
            Flag("fs_type", "string", "", "Path to print the fs type for"),
            Flag("file_mode", "string", "", "Path to print the mode bits of"),
            Flag("file_perm", "string", "", "Path to print the perms of"),
            Flag("file_owner", "string", "", "Path to print the owning UID and GID of"),
            *(Flag(f"new_file_{m}", "string", "", f"Path to write to and read from with perm {m}")
              for m in ("0644", "0666", "0660", "0777")),
            Flag("file_content", "string", "", "Path to read the file content from"),
            Flag("file_content_in_loop", "string", "", "Path to read the file content in loop from"),
            Flag("retry_time", "int", "180", "Retry time during the loop"),
            Flag("break_on_expected_content", "bool", "true",
                 "Break out of loop on expected content, (use with --file_content_in_loop flag only)"),
        ),
    ),
    Command(
        "net", "Creates webserver or runner for various networking tests",
        "Runs --runner nat-closewait-client or nat-closewait-server with --options, or serves POST /run/RUNNER.",
        _lazy("natprobes", "net"),
        (
            Flag("serve", "string", "", "Address and port to bind to (e.g. 127.0.0.1:8080)."),
            Flag("runner", "string", "", "Runner to execute (available: nat-closewait-client nat-closewait-server)"),
            Flag("options", "string", "", "JSON options to the Runner"),
            Flag("delay-shutdown", "int", "0", "Number of seconds to delay shutdown when receiving SIGTERM."),
        ),
        lingers=True,
    ),
    Command(
        "no-snat-test", "Creates the /checknosnat and /whoami endpoints",
        "Serves /whoami, the client's address, and /checknosnat?ips=…, which asks those servers who we are.",
        _lazy("natprobes", "no_snat_test"),
        (Flag("port", "string", "8080", "The port to serve /checknosnat and /whoami endpoints on."),),
    ),
    Command(
        "netexec", "Creates HTTP(S), UDP, and (optionally) SCTP servers with various endpoints", _NETEXEC,
        _lazy("netexec", "run"),
        (
            Flag("http-port", "int", "8080", "HTTP Listen Port"),
            *_TLS,
            Flag("udp-port", "int", "8081", "UDP Listen Port"),
            Flag("sctp-port", "int", "-1", "SCTP Listen Port"),
            Flag("http-override", "string", "",
                 "Override the HTTP handler to always respond as if it were a GET with this path & params"),
            Flag("udp-listen-addresses", "string", "",
                 "A comma separated list of ip addresses the udp servers listen from"),
            Flag("delay-shutdown", "int", "0", "Number of seconds to delay shutdown when receiving SIGTERM."),
        ),
        lingers=True,
    ),
    Command("nonewprivs", "Prints the effective uid", "Prints the effective uid, which set-uid bits change.",
            _lazy("forwarding", "no_new_privileges")),
    Command("pause", "Pauses the execution",
            "Pauses the execution. Useful for keeping the containers running, so other commands can be executed.",
            _lazy("simple", "pause")),
    Command("port-forward-tester", "Creates a TCP server that sends chunks of data",
            "Takes one TCP connection on BIND_ADDRESS:BIND_PORT, expects EXPECTED_CLIENT_DATA where that is set, and\n"
            "sends CHUNKS of CHUNK_SIZE bytes, CHUNK_INTERVAL milliseconds apart.",
            _lazy("forwarding", "port_forward_tester")),
    Command(
        "porter", "Serves requested data on ports specified in ENV variables",
        "Serves the values of the variables SERVE_{PORT,TCP_PORT,UDP_PORT,TLS_PORT}_[NNNN] on the ports they name.",
        _lazy("servers", "porter"),
        (Flag("json-response", "bool", "false",
              "Responds to requests with a json response that includes the default value with the "
              "http.Request Method"),),
    ),
    Command(
        "serve-hostname", "Serves the hostname", "Serves the hostname through HTTP / TCP / UDP on the given port.",
        _lazy("servers", "serve_hostname"),
        (
            Flag("tcp", "bool", "false", "Serve raw over TCP."),
            Flag("udp", "bool", "false", "Serve raw over UDP."),
            Flag("http", "bool", "true", "Serve HTTP."),
            Flag("close", "bool", "false", "Close connection per each HTTP request."),
            Flag("port", "int", "9376", "Port number."),
        ),
        lingers=True,
    ),
    Command(
        "tcp-reset", "Serves on a TCP port and resets each connection",
        "Accepts TCP connections on --port and resets each one after its first bytes.",
        _lazy("forwarding", "tcp_reset"),
        (Flag("port", "int", "8080", "Port number."),),
    ),
    Command(
        "test-webserver", "Starts a simple HTTP fileserver",
        "Starts a simple HTTP fileserver on the given --port, which serves any file specified in the URL path, "
        "if it exists.",
        _lazy("servers", "webserver"),
        (Flag("port", "int", "80", "Port number."),),
    ),
)  # fmt: skip
