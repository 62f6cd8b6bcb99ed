//! How long a page is, the same for every list (AIP-158).

/// Items of a page where the request names none.
const DEFAULT: usize = 20;
/// Most items of a page.
const MOST: usize = 100;

/// Items of a page, from a request's `page_size`.
#[must_use]
pub fn size(wanted: i32) -> usize {
    match usize::try_from(wanted) {
        Ok(0) | Err(_) => DEFAULT,
        Ok(wanted) => wanted.min(MOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_sizes_have_a_default_and_an_end() {
        assert_eq!(
            [0, 1, 20, 100, 101, i32::MAX].map(size),
            [20, 1, 20, 100, 100, 100]
        );
    }
}
