//! Content negotiation: which JSON a request speaks and wants to hear.

use http::{
    HeaderMap,
    header::{ACCEPT, CONTENT_TYPE},
};

use crate::error::ApiError;

/// The major version this engine answers as; the one before it is understood as well.
pub(crate) const MAJOR: u32 = 9;

/// The `Content-Type` of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// `application/json`
    Json,
    /// `application/vnd.elasticsearch+json;compatible-with=N`
    Versioned(u32),
}

impl MediaType {
    pub(crate) const fn header(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Versioned(8) => "application/vnd.elasticsearch+json;compatible-with=8",
            Self::Versioned(_) => "application/vnd.elasticsearch+json;compatible-with=9",
        }
    }
}

/// What one header value asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Json,
    Anything,
    Version(u32),
    Unreadable,
}

/// The media type to answer with. `with_body` says whether the request has a body.
pub(crate) fn negotiate(headers: &HeaderMap, with_body: bool) -> Result<MediaType, ApiError> {
    let content_type = headers
        .get(CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or_default());
    let accept = headers
        .get(ACCEPT)
        .map(|value| value.to_str().unwrap_or_default());
    let accepted = match accept {
        None | Some("") => None,
        Some(list) => {
            // A browser sends a list; the first readable entry counts.
            let asked = list
                .split(',')
                .map(parse)
                .find(|asked| *asked != Asked::Unreadable);
            Some(asked.ok_or_else(|| {
                ApiError::MediaType("Invalid media-type value on headers [Accept]".to_owned())
            })?)
        }
    };
    if with_body {
        let body = content_type.map_or(Asked::Unreadable, parse);
        match (body, accepted) {
            (Asked::Unreadable | Asked::Anything, _) => {
                return Err(ApiError::UnsupportedContentType(
                    content_type.unwrap_or_default().to_owned(),
                ));
            }
            (Asked::Version(sent), Some(Asked::Version(wanted))) if sent != wanted => {
                return Err(mismatch(accept, content_type));
            }
            (Asked::Version(_), Some(Asked::Json)) | (Asked::Json, Some(Asked::Version(_))) => {
                return Err(mismatch(accept, content_type));
            }
            (Asked::Version(sent), None | Some(Asked::Anything)) => {
                return supported(sent, "Content-Type", content_type);
            }
            _ => {}
        }
    }
    match accepted {
        Some(Asked::Version(version)) => supported(version, "Accept", accept),
        _ => Ok(MediaType::Json),
    }
}

fn supported(version: u32, header: &str, value: Option<&str>) -> Result<MediaType, ApiError> {
    if version == MAJOR || version + 1 == MAJOR {
        return Ok(MediaType::Versioned(version));
    }
    Err(ApiError::MediaType(format!(
        "{header} version must be either version {MAJOR} or {}, but found {version}. {header}={}",
        MAJOR - 1,
        value.unwrap_or_default()
    )))
}

fn mismatch(accept: Option<&str>, content_type: Option<&str>) -> ApiError {
    ApiError::MediaType(format!(
        "A compatible version is required on both Content-Type and Accept headers if either one has requested a compatible version and the compatible versions must match. Accept={}, Content-Type={}",
        accept.unwrap_or_default(),
        content_type.unwrap_or_default()
    ))
}

fn parse(value: &str) -> Asked {
    let mut parts = value.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let is = |known: &[&str]| known.iter().any(|known| kind.eq_ignore_ascii_case(known));
    if is(&["application/json", "application/x-ndjson"]) {
        Asked::Json
    } else if is(&["*/*", "application/*"]) {
        Asked::Anything
    } else if is(&[
        "application/vnd.elasticsearch+json",
        "application/vnd.elasticsearch+x-ndjson",
    ]) {
        parts
            .find_map(|part| part.strip_prefix("compatible-with="))
            .map_or(Asked::Json, |version| {
                version
                    .trim()
                    .parse()
                    .map_or(Asked::Unreadable, Asked::Version)
            })
    } else {
        Asked::Unreadable
    }
}
