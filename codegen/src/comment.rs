//! Comments of a contract, as text for documents.

use prost_reflect::FileDescriptor;

/// The comment above the element at `path`: its lines without the markers, joined where a
/// sentence goes on, with a blank line between paragraphs. Empty where there is none.
pub(crate) fn of(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let comment = info
        .and_then(|info| info.location.iter().find(|location| location.path == path))
        .and_then(|location| location.leading_comments.as_deref());
    paragraphs(comment.unwrap_or_default())
}

fn paragraphs(comment: &str) -> String {
    let lines: Vec<&str> = comment.lines().map(str::trim).collect();
    let paragraphs = lines
        .split(|line| line.is_empty())
        .filter(|lines| !lines.is_empty());
    paragraphs
        .map(|lines| lines.join(" "))
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// The first sentence of a comment, without its full stop.
pub(crate) fn summary(comment: &str) -> &str {
    let paragraph = comment.split("\n\n").next().unwrap_or_default();
    let sentence = paragraph.split(". ").next().unwrap_or_default();
    sentence.strip_suffix('.').unwrap_or(sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_paragraph_are_joined() {
        assert_eq!(paragraphs(" One\n two.\n\n Three.\n"), "One two.\n\nThree.");
    }

    #[test]
    fn summary_is_the_first_sentence() {
        assert_eq!(summary("Gets a flight. Fails with X."), "Gets a flight");
        assert_eq!(summary("Gets a flight.\n\nMore."), "Gets a flight");
        assert_eq!(summary(""), "");
    }
}
