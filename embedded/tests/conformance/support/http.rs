//! HTTP client that sends exactly the given bytes.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

/// A complete response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// The body, as lossy text.
    pub(crate) text: String,
    pub(crate) bytes: Vec<u8>,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text))
    }

    /// The values of a header, in order.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The part of the JSON body at a JSON pointer.
    pub(crate) fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    /// The body of an error with this status and type.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, kind: &str) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        let body = self.json();
        assert_eq!(body["status"], status, "{body}");
        assert_eq!(body["error"]["type"], kind, "{body}");
        // The root cause is the error itself, or its innermost cause.
        let error = &body["error"];
        let causes = std::iter::successors(Some(error), |error| error.get("caused_by"));
        let root = &error["root_cause"][0]["type"];
        let innermost = causes.last().map(|cause| &cause["type"]);
        assert!(*root == kind || innermost == Some(root), "{body}");
        body["error"]["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    #[track_caller]
    pub(crate) fn assert_ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }
}

/// The listener that requests are sent to.
pub(crate) struct Target {
    host: String,
    port: u16,
    /// Prefix of every path, without a slash at its end.
    base_path: String,
    tls: Option<Arc<ClientConfig>>,
}

impl Target {
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self {
            host: address.ip().to_string(),
            port: address.port(),
            base_path: String::new(),
            tls: None,
        }
    }

    /// Parses an address such as `https://host:9200/path`. `https` needs a file with the CA's
    /// certificates.
    pub(crate) fn parse(url: &str, ca_file: Option<&Path>) -> Result<Self, String> {
        let uri: ::http::Uri = url
            .parse()
            .map_err(|error| format!("{url} is not an address: {error}"))?;
        let host = uri
            .host()
            .ok_or_else(|| format!("{url} names no host"))?
            .to_owned();
        let (tls, port) = match uri.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => {
                let file = ca_file.ok_or("https needs --ca-file FILE, the CA's certificates")?;
                (Some(Arc::new(trusting(file)?)), 443)
            }
            _ => return Err(format!("{url} must begin with http:// or https://")),
        };
        Ok(Self {
            host,
            port: uri.port_u16().unwrap_or(port),
            base_path: uri.path().trim_end_matches('/').to_owned(),
            tls,
        })
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, self.port)).await?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = tokio_rustls::TlsConnector::from(tls.clone());
        Ok(Box::new(connector.connect(name, stream).await?))
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

fn trusting(file: &Path) -> Result<ClientConfig, String> {
    let cannot = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| cannot(&error))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| cannot(&error))?;
        roots.add(certificate).map_err(|error| cannot(&error))?;
    }
    if roots.is_empty() {
        return Err(cannot(&"holds no certificate"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Sends one request and reads the response.
pub(crate) async fn send(
    target: &Target,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
) -> Response {
    try_send(target, method, path, headers, body)
        .await
        .unwrap_or_else(|error| panic!("no answer: {error}"))
}

/// As [`send`], for a target that may be unreachable.
pub(crate) async fn try_send(
    target: &Target,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
) -> io::Result<Response> {
    let Target {
        host,
        port,
        base_path,
        ..
    } = target;
    let mut request = format!(
        "{method} {base_path}{path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = body {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body.unwrap_or_default());
    let exchange = async {
        let mut stream = target.connect().await?;
        // The server may respond and close before it has read everything.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.flush().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        Ok::<_, io::Error>(answer)
    };
    let answer = tokio::time::timeout(Duration::from_secs(60), exchange).await??;
    parse(&answer).ok_or_else(|| {
        io::Error::other(format!(
            "not HTTP: {:.200}",
            String::from_utf8_lossy(&answer)
        ))
    })
}

fn parse(answer: &[u8]) -> Option<Response> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let body = &answer[end + 4..];
    let is_chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if is_chunked {
        unchunk(body)
    } else {
        body.to_vec()
    };
    Some(Response {
        status,
        headers,
        text: String::from_utf8_lossy(&body).into_owned(),
        bytes: body,
    })
}

/// Joins the chunks of a body. Ends at a malformed chunk.
fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let line = String::from_utf8_lossy(&rest[..end]);
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        let Some(chunk) = rest.get(end + 2..end + 2 + size) else {
            break;
        };
        if size == 0 {
            break;
        }
        body.extend_from_slice(chunk);
        rest = rest.get(end + 4 + size..).unwrap_or_default();
    }
    body
}

#[test]
fn a_chunked_body_is_joined() {
    let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n";
    assert_eq!(parse(answer).unwrap().text, "abc0123456789");
}
