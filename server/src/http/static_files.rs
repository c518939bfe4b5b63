//! Static files: style sheet, script and WebAssembly module, embedded in the binary.
//!
//! Names change with the content, so browsers may cache a file forever. Files are compressed at build time, and the
//! encoding is chosen from `Accept-Encoding`.

use app::{model::base_path::BasePath, shell::SiteFiles};
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};

static EMBEDDED: &[Asset] = include!(concat!(env!("OUT_DIR"), "/site_assets.rs"));

/// A file with its encodings.
#[derive(Debug)]
struct Asset {
    /// Below `/pkg/`.
    path: &'static str,
    content_type: &'static str,
    identity: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

/// The files in this binary.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    assets: &'static [Asset],
}

impl Site {
    /// The files in this binary; none if only cargo built it.
    #[must_use]
    pub fn embedded() -> Self {
        Self { assets: EMBEDDED }
    }

    /// URLs of the files that every page needs; `None` without files.
    #[must_use]
    pub fn files(self, base_path: &BasePath) -> Option<SiteFiles> {
        let path = |is_it: &dyn Fn(&str) -> bool| Some(base_path.join(&self.path(is_it)?));
        Some(SiteFiles {
            css: path(&|name| name.starts_with("agent-keys.") && name.ends_with(".css"))?,
            js: path(&|name| name == "agent-keys.js")?,
            wasm: path(&|name| name == "agent-keys_bg.wasm")?,
            parts_js: path(&|name| name == "agent-keys-parts.js")?,
        })
    }

    /// Finds a file by its name without folders.
    fn path(self, is_it: &dyn Fn(&str) -> bool) -> Option<String> {
        self.assets
            .iter()
            .find(|asset| is_it(asset.path.rsplit('/').next().unwrap_or(asset.path)))
            .map(|asset| format!("/pkg/{}", asset.path))
    }

    fn answer(self, path: &str, headers: &HeaderMap) -> Response {
        let Some(asset) = self.assets.iter().find(|asset| asset.path == path) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let (encoding, body) = asset.pick(&Accepted::read(headers));
        let etag = encoding.etag(asset.path);

        let mut answer = HeaderMap::new();
        answer.insert(
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        );
        answer.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        answer.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let known = headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|value| value.trim().trim_start_matches("W/") == etag);
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            answer.insert(ETAG, etag);
        }
        if known {
            return (StatusCode::NOT_MODIFIED, answer).into_response();
        }
        answer.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
        if let Some(name) = encoding.name() {
            answer.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        (answer, body).into_response()
    }
}

/// Answers `GET` and `HEAD` of `/pkg/{*path}`.
pub async fn serve(Path(path): Path<String>, headers: HeaderMap) -> Response {
    Site::embedded().answer(&path, &headers)
}

/// Content encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Brotli,
    Gzip,
    Identity,
}

impl Encoding {
    /// Value of `Content-Encoding`, if any.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }

    /// The path holds the digest of the content; each encoding needs its own tag.
    fn etag(self, path: &str) -> String {
        match self.name() {
            Some(name) => format!("\"{path}.{name}\""),
            None => format!("\"{path}\""),
        }
    }
}

impl Asset {
    /// Returns the encoding with the highest quality, the smallest among equals.
    ///
    /// A client that accepts none of them gets the file uncompressed, not an error, which would leave the page without
    /// style.
    fn pick(&self, accepted: &Accepted) -> (Encoding, &'static [u8]) {
        let compressed = [
            (accepted.brotli, Encoding::Brotli, self.brotli),
            (accepted.gzip, Encoding::Gzip, self.gzip),
        ];
        let mut best = (accepted.identity, Encoding::Identity, self.identity);
        // From the largest to the smallest, so that the smaller one wins a tie.
        for (quality, encoding, body) in compressed.into_iter().rev() {
            if let Some(body) = body
                && quality > 0
                && quality >= best.0
            {
                best = (quality, encoding, body);
            }
        }
        (best.1, best.2)
    }
}

/// Quality of each encoding in `Accept-Encoding`, in thousandths.
#[derive(Debug, PartialEq, Eq)]
struct Accepted {
    brotli: u16,
    gzip: u16,
    identity: u16,
}

impl Accepted {
    fn read(headers: &HeaderMap) -> Self {
        let mut named = [None; 3];
        let mut others = None;
        let values = headers
            .get_all(ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok());
        for item in values.flat_map(|value| value.split(',')) {
            let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
            let quality = Some(quality(parameters));
            match name.trim().to_ascii_lowercase().as_str() {
                "br" => named[0] = quality,
                "gzip" | "x-gzip" => named[1] = quality,
                "identity" => named[2] = quality,
                "*" => others = quality,
                _ => {}
            }
        }
        Self {
            brotli: named[0].or(others).unwrap_or(0),
            gzip: named[1].or(others).unwrap_or(0),
            // The identity encoding is acceptable unless excluded, but not preferred.
            identity: named[2].or(others).unwrap_or(1),
        }
    }
}

/// The parameter `q`: 1 if absent, 0 if not a number.
fn quality(parameters: &str) -> u16 {
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("q")
            .then_some(value.trim())
    });
    let Some(value) = value else { return 1000 };
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits = format!("{fraction:0<3}");
    match (whole, digits.parse::<u16>()) {
        ("1", Ok(0)) => 1000,
        ("0", Ok(thousandths)) if thousandths < 1000 => thousandths,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    const SITE: Site = Site {
        assets: &[
            Asset {
                path: "agent-keys.1a2b.css",
                content_type: "text/css; charset=utf-8",
                identity: b"plain",
                brotli: Some(b"brotli"),
                gzip: Some(b"gzip"),
            },
            Asset {
                path: "picture.3c4d.png",
                content_type: "image/png",
                identity: b"plain",
                brotli: None,
                gzip: None,
            },
        ],
    };

    fn picked(accept_encoding: &str) -> Encoding {
        SITE.assets[0]
            .pick(&Accepted::read(&asking(accept_encoding)))
            .0
    }

    fn asking(accept_encoding: &str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT_ENCODING, accept_encoding.parse().unwrap())])
    }

    #[test]
    fn brotli_is_preferred() {
        assert_eq!(picked("gzip, deflate, br, zstd"), Encoding::Brotli);
        assert_eq!(picked("BR"), Encoding::Brotli);
        assert_eq!(picked("*"), Encoding::Brotli);
    }

    #[test]
    fn highest_quality_wins() {
        assert_eq!(picked("br;q=0.5, gzip;q=0.8"), Encoding::Gzip);
        assert_eq!(picked("br; q=0.5, identity"), Encoding::Identity);
        assert_eq!(picked("gzip;q=0.001"), Encoding::Gzip);
    }

    #[test]
    fn refused_encoding_is_not_sent() {
        assert_eq!(picked("br;q=0, gzip"), Encoding::Gzip);
        assert_eq!(picked("br;q=0, *"), Encoding::Gzip);
        assert_eq!(picked("br;q=0.000, gzip;q=0"), Encoding::Identity);
    }

    #[test]
    fn missing_accept_encoding_gets_the_plain_file() {
        assert_eq!(
            SITE.assets[0].pick(&Accepted::read(&HeaderMap::new())).0,
            Encoding::Identity
        );
        assert_eq!(picked(""), Encoding::Identity);
        assert_eq!(picked("zstd"), Encoding::Identity);
    }

    #[test]
    fn refusing_every_encoding_gets_the_plain_file() {
        assert_eq!(picked("*;q=0"), Encoding::Identity);
        assert_eq!(picked("identity;q=0"), Encoding::Identity);
    }

    #[test]
    fn malformed_accept_encoding_is_ignored() {
        assert_eq!(picked("br;q=lots, gzip;q=2, ;;, =,"), Encoding::Identity);
    }

    #[test]
    fn images_are_not_compressed() {
        let (encoding, body) = SITE.assets[1].pick(&Accepted::read(&asking("br, gzip")));
        assert_eq!((encoding, body), (Encoding::Identity, &b"plain"[..]));
    }

    #[tokio::test]
    async fn files_are_immutable_in_caches() {
        let answer = SITE.answer("agent-keys.1a2b.css", &asking("br"));
        assert_eq!(answer.status(), StatusCode::OK);
        let headers = answer.headers();
        assert_eq!(headers[CONTENT_TYPE], "text/css; charset=utf-8");
        assert_eq!(headers[CONTENT_ENCODING], "br");
        assert_eq!(
            headers[CACHE_CONTROL],
            "public, max-age=31536000, immutable"
        );
        assert_eq!(headers[VARY], "Accept-Encoding");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[ETAG], "\"agent-keys.1a2b.css.br\"");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&body[..], b"brotli");
    }

    #[test]
    fn matching_etag_gets_304() {
        let mut headers = asking("br");
        headers.insert(
            IF_NONE_MATCH,
            "\"other\", W/\"agent-keys.1a2b.css.br\"".parse().unwrap(),
        );
        let answer = SITE.answer("agent-keys.1a2b.css", &headers);
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
        assert!(!answer.headers().contains_key(CONTENT_TYPE));
    }

    #[test]
    fn unknown_file_is_404() {
        for path in [
            "",
            "agent-keys.css",
            "../Cargo.toml",
            "agent-keys.1a2b.css.br",
        ] {
            assert_eq!(
                SITE.answer(path, &HeaderMap::new()).status(),
                StatusCode::NOT_FOUND
            );
        }
    }

    #[test]
    fn page_requires_every_file() {
        assert_eq!(SITE.files(&BasePath::default()), None);
    }

    #[test]
    fn page_names_files_with_their_digest() {
        const fn asset(path: &'static str) -> Asset {
            Asset {
                path,
                content_type: "",
                identity: b"",
                brotli: None,
                gzip: None,
            }
        }
        static ASSETS: [Asset; 5] = [
            asset("agent-keys.1.css"),
            asset("browser-2/agent-keys-parts.js"),
            asset("browser-2/agent-keys.js"),
            asset("browser-2/agent-keys_bg.wasm"),
            asset("browser-2/split_users.wasm"),
        ];
        let site = Site { assets: &ASSETS };
        let expected = SiteFiles {
            css: "/keys/pkg/agent-keys.1.css".to_owned(),
            js: "/keys/pkg/browser-2/agent-keys.js".to_owned(),
            wasm: "/keys/pkg/browser-2/agent-keys_bg.wasm".to_owned(),
            parts_js: "/keys/pkg/browser-2/agent-keys-parts.js".to_owned(),
        };
        let base_path = BasePath::parse("/keys").unwrap();
        assert_eq!(site.files(&base_path), Some(expected));
    }
}
