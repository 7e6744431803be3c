//! As many cells as a page has room for.

use super::super::RenderError;

/// The page of as many cells as have room. What is too large for the template engine has none either: an error of the
/// smallest page alone is one.
pub(super) fn largest(
    cells: usize,
    most_bytes: usize,
    page: impl Fn(usize) -> Result<String, RenderError>,
) -> Result<String, RenderError> {
    let mut kept = cells;
    loop {
        let page = page(kept);
        if kept == 0 || page.as_ref().is_ok_and(|page| page.len() <= most_bytes) {
            return page;
        }
        kept /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_the_template_engine_refuses_are_left_out_like_those_that_are_too_large() {
        let page = |kept: usize| match kept {
            4.. => Err(RenderError::NotFinite {
                place: "too large".into(),
            }),
            _ => Ok("x".repeat(kept)),
        };
        assert_eq!(largest(9, 10, page).unwrap(), "xx");
        assert_eq!(largest(9, 1, page).unwrap(), "x");
        assert_eq!(largest(9, 0, page).unwrap(), "");
        let broken = |_| Err(RenderError::NotFinite { place: "always".into() });
        assert!(largest(9, 10, broken).is_err());
    }
}
