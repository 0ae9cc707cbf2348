//! Parts of content that both of OpenAI's formats have in other words.

use adjutant_core::message::{Media, Part};

use crate::wire::{Fault, Node, by_address, file_type, of_bytes};

/// How closely a picture shall be looked at. The model's own provider decides it; what asks for less than all of it is refused.
pub(super) fn check_detail(image: &Node<'_>) -> Result<(), Fault> {
    let Some(detail) = image.get("detail") else { return Ok(()) };
    match detail.word(&[("auto", true), ("high", true), ("original", true), ("low", false)])? {
        true => Ok(()),
        false => Err(detail
            .wrong("unsupported_value", "a picture cannot be shown in less detail here")
            .with_help("send a smaller picture, or say `auto`")),
    }
}

/// A picture at an address.
pub(super) fn image(address: &Node<'_>) -> Result<Part, Fault> {
    let media = by_address(address, None, "image/jpeg")?;
    match media.media_type.starts_with("image/") {
        true => Ok(Part::Image(media)),
        false => Err(address.wrong(
            "invalid_value",
            format!("`{}` is no picture, but `{}`", address.place(), media.media_type),
        )),
    }
}

/// A file by its bytes: as a `data:` address, or as base 64 whose kind the name tells.
pub(super) fn file(data: &Node<'_>, name: Option<String>) -> Result<Part, Fault> {
    let text = data.text()?;
    let media: Media = match text.starts_with("data:") {
        true => by_address(data, name, "application/pdf")?,
        false => {
            let kind = name.as_deref().and_then(file_type).unwrap_or("application/pdf");
            of_bytes(data, text, kind.to_owned(), name)?
        }
    };
    Ok(Part::File(media))
}

/// What a file would be that was uploaded before.
pub(crate) fn no_uploads(node: &Node<'_>) -> Fault {
    node.wrong(
        "unsupported_value",
        format!("`{}` means an uploaded file, and none are kept here", node.place()),
    )
    .with_help("send the file itself")
}
