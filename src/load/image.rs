//! Synthetic images for vision models: a PNG of coloured squares, another one for each place.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use miniz_oxide::deflate::compress_to_vec_zlib;
use serde_json::{Value, json};

use super::{dataset::Prompt, random::Stream};
use crate::plan::Images;

/// Side of a square in pixels: what a vision model cuts a picture into.
const SQUARE_PX: u32 = 16;

/// Colours take three bytes a pixel.
const PIXEL_BYTES: usize = 3;

/// Fast, and long runs of zeros become short all the same.
const COMPRESSION: u8 = 1;

/// The prompt as chat messages, with images in its last user message.
pub(super) fn with_images(prompt: &Prompt, images: Images, stream: &mut Stream) -> Prompt {
    let mut messages = match prompt {
        Prompt::Text(text) => vec![json!({"role": "user", "content": text})],
        Prompt::Messages(messages) => serde_json::from_str(messages).unwrap_or_default(),
    };
    let is_user = |message: &&mut Value| message.get("role").is_some_and(|role| role == "user");
    if let Some(content) = messages
        .iter_mut()
        .rev()
        .find(is_user)
        .and_then(|last| last.get_mut("content"))
    {
        let mut parts = match content.take() {
            Value::Array(parts) => parts,
            text => vec![json!({"type": "text", "text": text})],
        };
        for _ in 0..images.per_request {
            let url = data_url(images, stream);
            parts.push(json!({"type": "image_url", "image_url": {"url": url}}));
        }
        *content = Value::Array(parts);
    }
    Prompt::Messages(Value::Array(messages).to_string())
}

fn data_url(images: Images, stream: &mut Stream) -> String {
    let png = png(images.width_px, images.height_px, stream);
    format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png))
}

/// A PNG of 8 bits a colour (<https://www.w3.org/TR/png-3/>).
fn png(width_px: u32, height_px: u32, stream: &mut Stream) -> Vec<u8> {
    let mut head = [width_px.to_be_bytes(), height_px.to_be_bytes()].concat();
    // Bits a colour, red-green-blue, and the only compression, filter set and order there are.
    head.extend([8, 2, 0, 0, 0]);
    let pixels = compress_to_vec_zlib(&rows(width_px, height_px, stream), COMPRESSION);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in [(b"IHDR", head), (b"IDAT", pixels), (b"IEND", Vec::new())] {
        file.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
        let named = [name.as_slice(), &data].concat();
        file.extend(&named);
        file.extend(crc32(&named).to_be_bytes());
    }
    file
}

/// The rows of the picture, each after its filter: the first of a square as differences to the pixel before, the others
/// as differences to the row above, which are none.
fn rows(width_px: u32, height_px: u32, stream: &mut Stream) -> Vec<u8> {
    const TO_THE_LEFT: u8 = 1;
    const TO_THE_ROW_ABOVE: u8 = 2;
    let width = usize::try_from(width_px).unwrap_or(0) * PIXEL_BYTES;
    let mut rows = Vec::new();
    for row in 0..height_px {
        if row % SQUARE_PX != 0 {
            rows.push(TO_THE_ROW_ABOVE);
            rows.resize(rows.len() + width, 0);
            continue;
        }
        rows.push(TO_THE_LEFT);
        for column in 0..width_px {
            let step = if column % SQUARE_PX == 0 { stream.bits() } else { 0 };
            rows.extend(step.to_le_bytes().into_iter().take(PIXEL_BYTES));
        }
    }
    rows
}

/// The checksum of PNG, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            let odd = crc & 1 == 1;
            (crc >> 1) ^ if odd { 0xEDB8_8320 } else { 0 }
        })
    });
    !crc
}

#[cfg(test)]
mod tests {
    use miniz_oxide::inflate::decompress_to_vec_zlib;

    use super::*;
    use crate::load::random::Purpose;

    fn stream(id: u64) -> Stream {
        Stream::new(42, Purpose::Image, id)
    }

    /// The data of each chunk, whose checksum is right.
    fn chunks(mut file: &[u8]) -> Vec<(String, Vec<u8>)> {
        file = file.strip_prefix(b"\x89PNG\r\n\x1a\n").unwrap();
        let mut found = Vec::new();
        while !file.is_empty() {
            let length = u32::from_be_bytes(file[..4].try_into().unwrap()) as usize;
            let (named, rest) = file[4..].split_at(4 + length);
            assert_eq!(rest[..4], crc32(named).to_be_bytes());
            found.push((String::from_utf8(named[..4].to_vec()).unwrap(), named[4..].to_vec()));
            file = &rest[4..];
        }
        found
    }

    #[test]
    fn the_checksum_is_the_known_one() {
        // python3 -c 'import zlib; print(hex(zlib.crc32(b"123456789")))'
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_picture_is_a_whole_png_of_its_resolution() {
        for (width, height) in [(1, 1), (16, 16), (33, 50), (640, 480)] {
            let chunks = chunks(&png(width, height, &mut stream(1)));
            let names: Vec<&str> = chunks.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["IHDR", "IDAT", "IEND"]);
            let head = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
            assert_eq!(chunks[0].1, head);
            let pixels = decompress_to_vec_zlib(&chunks[1].1).unwrap();
            assert_eq!(pixels.len(), (height * (1 + 3 * width)) as usize);
        }
    }

    #[test]
    fn no_two_places_have_the_same_picture_and_each_is_short() {
        let image = |id| png(1024, 1024, &mut stream(id));
        assert_eq!(image(1), image(1));
        assert_ne!(image(1), image(2));
        assert!(image(1).len() < 100_000, "{} bytes", image(1).len());
    }

    #[test]
    fn images_follow_the_text_of_the_last_user_message() {
        let images = Images {
            width_px: 8,
            height_px: 8,
            per_request: 2,
        };
        let shown = |prompt: Prompt| -> Value {
            let Prompt::Messages(json) = with_images(&prompt, images, &mut stream(3)) else {
                panic!("text")
            };
            serde_json::from_str(&json).unwrap()
        };
        let plain = shown(Prompt::Text("look".into()));
        let parts = plain[0]["content"].as_array().unwrap();
        assert_eq!((parts.len(), &parts[0]), (3, &json!({"type": "text", "text": "look"})));
        assert_ne!(parts[1], parts[2]);
        assert!(
            parts[1]["image_url"]["url"]
                .as_str()
                .unwrap()
                .starts_with("data:image/png;base64,iVBOR")
        );
        let talk =
            r#"[{"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "text", "text": "a"}]}]"#;
        let talk = shown(Prompt::Messages(talk.into()));
        assert_eq!(
            (&talk[0]["content"], talk[1]["content"].as_array().unwrap().len()),
            (&json!("s"), 3)
        );
    }
}
