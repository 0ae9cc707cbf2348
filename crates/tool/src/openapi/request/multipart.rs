//! Bodies of several parts (RFC 7578).

use adjutant_core::hash::Digest;

/// One part.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
    pub(super) media_type: Option<String>,
    pub(super) bytes: Vec<u8>,
}

/// The media type, with its boundary, and the bytes. The same parts always give the same bytes: the boundary is made of
/// them, and so cannot stand within them either.
pub(super) fn write(parts: &[Part]) -> (String, Vec<u8>) {
    let contents: Vec<&[u8]> = parts.iter().map(|part| part.bytes.as_slice()).collect();
    let boundary = format!("adjutant-{}", Digest::of_parts(&contents).short());
    let mut body = Vec::new();
    for part in parts {
        let mut head =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", quoted(&part.name));
        if let Some(file_name) = &part.file_name {
            head.push_str(&format!("; filename=\"{}\"", quoted(file_name)));
        }
        if let Some(media_type) = &part.media_type {
            let on_one_line: String = media_type.chars().filter(|c| !c.is_control()).collect();
            head.push_str(&format!("\r\nContent-Type: {on_one_line}"));
        }
        body.extend(head.as_bytes());
        body.extend(b"\r\n\r\n");
        body.extend(&part.bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// A name within quotes, as the standard for forms on the web escapes it.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
