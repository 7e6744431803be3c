//! What GitHub takes, as numbers: everything that is written fits before it is sent.

/// Bytes of a comment: GitHub's own error names 65,536 characters; whoever counts bytes or UTF-16 is content with this, too.
pub const COMMENT_BYTES: usize = 60_000;
/// Characters of a check run's summary.
pub const CHECK_SUMMARY_CHARS: usize = 65_535;
/// Characters of a check run's or an annotation's title.
pub const TITLE_CHARS: usize = 255;
/// Annotations of one request; more come by further requests, which append.
pub const ANNOTATIONS_PER_REQUEST: usize = 50;
/// Bytes of what an annotation says.
pub const ANNOTATION_BYTES: usize = 64 * 1024;
/// Annotations that workflow commands of one step may make, for each level.
pub const COMMAND_ANNOTATIONS_PER_LEVEL: usize = 10;
/// Bytes that one step may add to the job summary: beyond 1 MiB GitHub drops the whole summary.
pub const SUMMARY_BYTES: usize = 900 * 1024;
/// UTF-16 units of all outputs of a job.
pub const OUTPUT_UTF16_UNITS: usize = 1024 * 1024;
/// Characters of a commit status's description.
pub const STATUS_CHARS: usize = 140;
/// Entries of one page of a list.
pub const PER_PAGE: usize = 100;
/// Entries of a folder's listing, which has no pages.
pub const FOLDER_ENTRIES: usize = 1_000;
/// Pages that are read of one list; GitHub takes 2,500 comments on a pull request.
pub const MAX_PAGES: usize = 50;
/// Pages of the commits of one comparison that are read.
pub const COMPARED_PAGES: usize = 10;
/// Files that a comparison lists, on its first page.
pub const COMPARED_FILES: usize = 300;
/// Folders that are listed below one folder.
pub const MAX_FOLDERS: usize = 100;
/// Bytes of one answer.
pub const ANSWER_BYTES: usize = 100 * 1024 * 1024;

const CUT: &str = "\n\n… cut here: the rest is in the full report.\n";

/// A text of at most this many characters; a longer one ends in `…`.
pub fn short(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max_chars.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// A text of at most this many bytes; a longer one ends at the end of a line, and says so.
///
/// The last resort: who renders leaves whole sections out before that.
pub fn cut(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let room = max_bytes.saturating_sub(CUT.len() + "\n```".len());
    let head = (0..=room).rev().find_map(|end| text.get(..end)).unwrap_or_default();
    let kept = head.rfind('\n').and_then(|end| head.get(..end)).unwrap_or(head);
    // Or the note would be code.
    let is_open = kept.lines().filter(|line| line.starts_with("```")).count() % 2 == 1;
    format!("{kept}{}{CUT}", if is_open { "\n```" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GitHub's description of its API, as far as we use it.
    fn description() -> serde_json::Value {
        serde_json::from_str(include_str!("../../tests/contract/gh-openapi-cut.json")).unwrap()
    }

    fn body(path: &str, method: &str) -> serde_json::Value {
        let pointer = format!("/paths/{}/{method}", path.replace('/', "~1"));
        description()
            .pointer(&format!(
                "{pointer}/requestBody/content/application~1json/schema/properties"
            ))
            .unwrap()
            .clone()
    }

    const CHECKS: &str = "/repos/{owner}/{repo}/check-runs";

    #[test]
    fn a_comment_fits_however_its_length_is_counted() {
        let comments = body("/repos/{owner}/{repo}/issues/{issue_number}/comments", "post");
        let max = comments["body"]["maxLength"].as_u64().unwrap();
        assert!(max == 65_536 && COMMENT_BYTES < 65_536);
        let widest = cut(&"é\n".repeat(40_000), COMMENT_BYTES);
        assert!(widest.len() <= COMMENT_BYTES && widest.encode_utf16().count() <= COMMENT_BYTES);
    }

    #[test]
    fn a_check_run_has_the_limits_of_the_description() {
        let output = &body(CHECKS, "post")["output"]["properties"];
        assert_eq!(output["summary"]["maxLength"], CHECK_SUMMARY_CHARS);
        assert_eq!(output["annotations"]["maxItems"], ANNOTATIONS_PER_REQUEST);
        let annotation = &output["annotations"]["items"]["properties"];
        let says = |name: &str| annotation[name]["description"].as_str().unwrap().to_owned();
        assert!(says("title").contains(&TITLE_CHARS.to_string()));
        assert!(says("message").contains(&format!("{} KB", ANNOTATION_BYTES / 1024)));
        let output_says = output["annotations"]["description"].as_str().unwrap();
        assert!(
            output_says.contains(&format!("{COMMAND_ANNOTATIONS_PER_LEVEL} warning")),
            "{output_says}"
        );
    }

    #[test]
    fn a_status_has_the_limit_of_the_description() {
        let status = body("/repos/{owner}/{repo}/statuses/{sha}", "post");
        assert_eq!(status["description"]["maxLength"], STATUS_CHARS);
    }

    #[test]
    fn a_page_is_the_largest_that_is_given() {
        let largest = description()["components"]["parameters"]["per-page"]["schema"]["maximum"].clone();
        assert_eq!(largest, PER_PAGE);
        const { assert!(MAX_PAGES * PER_PAGE >= 2_500) };
    }

    #[test]
    fn what_a_step_writes_stays_below_what_its_runner_takes() {
        const { assert!(SUMMARY_BYTES < 1024 * 1024) };
        const { assert!(OUTPUT_UTF16_UNITS <= 1024 * 1024) };
        // "This API has an upper limit of 1,000 files for a directory", and files up to 100 MB.
        let contents = &description()["paths"]["/repos/{owner}/{repo}/contents/{path}"]["get"]["description"];
        let contents = contents.as_str().unwrap();
        assert!(
            FOLDER_ENTRIES == 1_000 && contents.contains("1,000 files"),
            "{contents}"
        );
        assert!(
            ANSWER_BYTES == 100 * 1024 * 1024 && contents.contains("1-100 MB"),
            "{contents}"
        );
    }

    #[test]
    fn a_text_is_short_at_its_limit_and_ends_in_dots_beyond() {
        assert_eq!(short("abcd", 4), "abcd");
        assert_eq!(short("abcde", 4), "abc…");
        assert_eq!(short("äöüß", 4), "äöüß");
        assert_eq!(short("a bcd", 3), "a…");
    }

    #[test]
    fn a_text_is_cut_at_the_end_of_a_line_and_says_so() {
        let line = "0123456789";
        let text = [line; 50].join("\n");
        assert_eq!(cut(&text, text.len()), text);
        let shorter = cut(&text, text.len() - 1);
        assert!(shorter.len() < text.len() && shorter.ends_with(CUT), "{shorter}");
        assert!(
            shorter.starts_with(&format!("{line}\n")) && shorter.contains(&format!("{line}{CUT}")),
            "{shorter}"
        );
    }

    #[test]
    fn a_fence_that_the_cut_opened_is_closed() {
        let text = format!("head\n```\n{}```\nend\n", "code line\n".repeat(50));
        let shorter = cut(&text, 300);
        assert!(
            shorter.len() <= 300 && shorter.contains(&format!("code line\n```{CUT}")),
            "{shorter}"
        );
    }
}
