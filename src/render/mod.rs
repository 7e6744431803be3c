//! Terminal, Markdown, HTML and JSON from a report; number formatting and escaping.
