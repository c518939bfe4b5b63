//! Reads request bodies, with a size limit before and after decompression.

use std::io::Read;

use bytes::{Bytes, BytesMut};
use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
};
use http_body_util::BodyExt;

use crate::error::ApiError;

/// Reads and decompresses the body. Returns at most `bytes_max` bytes.
pub(crate) async fn read_body<B: BodyExt<Data = Bytes> + Unpin>(
    headers: &HeaderMap,
    body: B,
    bytes_max: usize,
) -> Result<Bytes, ApiError> {
    let body = collect_frames(headers, body, bytes_max).await?;
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if !body.is_empty() => unpack(encoding.as_bytes(), body, bytes_max),
        _ => Ok(body),
    }
}

async fn collect_frames<B: BodyExt<Data = Bytes> + Unpin>(
    headers: &HeaderMap,
    mut body: B,
    bytes_max: usize,
) -> Result<Bytes, ApiError> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|length| length > bytes_max as u64) {
        return Err(ApiError::TooLarge);
    }
    // Nearly every body arrives in one frame, which is used without a copy.
    let mut whole = Bytes::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::content("the body could not be read"))?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        if whole.len() + piece.len() > bytes_max {
            return Err(ApiError::TooLarge);
        }
        whole = if whole.is_empty() {
            piece
        } else {
            let mut longer = BytesMut::from(whole);
            longer.extend_from_slice(&piece);
            longer.freeze()
        };
    }
    Ok(whole)
}

/// Returns bodies with an unsupported encoding unchanged; they then fail as JSON.
fn unpack(encoding: &[u8], body: Bytes, bytes_max: usize) -> Result<Bytes, ApiError> {
    if encoding.eq_ignore_ascii_case(b"gzip") || encoding.eq_ignore_ascii_case(b"x-gzip") {
        return unpack_with(GzDecoder::new(&body[..]), bytes_max);
    }
    if !encoding.eq_ignore_ascii_case(b"deflate") {
        return Ok(body);
    }
    // Some clients send deflate with a zlib header, some without.
    match unpack_with(ZlibDecoder::new(&body[..]), bytes_max) {
        Err(ApiError::Content { .. }) => unpack_with(DeflateDecoder::new(&body[..]), bytes_max),
        unpacked => unpacked,
    }
}

fn unpack_with(decoder: impl Read, bytes_max: usize) -> Result<Bytes, ApiError> {
    let mut unpacked = Vec::new();
    decoder
        .take(bytes_max as u64 + 1)
        .read_to_end(&mut unpacked)
        .map_err(|_| ApiError::content("the compressed body could not be unpacked"))?;
    if unpacked.len() > bytes_max {
        return Err(ApiError::TooLarge);
    }
    Ok(unpacked.into())
}

#[cfg(test)]
mod tests {
    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };
    use std::io::Write;

    use super::*;

    const BYTES_MAX: usize = 1024 * 1024;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    #[test]
    fn gzip_and_both_kinds_of_deflate_are_decompressed() {
        let text = b"{\"query\": {}}";
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(text).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(text).unwrap();
        for (encoding, body) in [
            ("gzip", gzip(text)),
            ("GZIP", gzip(text)),
            ("deflate", zlib.finish().unwrap().into()),
            ("deflate", raw.finish().unwrap().into()),
        ] {
            assert_eq!(
                unpack(encoding.as_bytes(), body, BYTES_MAX).unwrap(),
                text[..],
                "{encoding}"
            );
        }
    }

    #[test]
    fn decompression_stops_at_the_limit() {
        let bomb = gzip(&vec![0; 64 * 1024 * 1024]);
        assert!(bomb.len() < BYTES_MAX);
        assert!(matches!(
            unpack(b"gzip", bomb, BYTES_MAX),
            Err(ApiError::TooLarge)
        ));
    }

    #[test]
    fn truncated_gzip_is_refused() {
        let whole = gzip(b"{\"query\": {\"match_all\": {}}}");
        for end in 0..whole.len() {
            let cut = unpack(b"gzip", whole.slice(..end), BYTES_MAX);
            assert!(matches!(cut, Err(ApiError::Content { .. })), "{end}");
        }
    }
}
