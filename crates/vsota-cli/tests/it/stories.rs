//! Stories: what a person types, and what is printed. `TRYCMD=overwrite` writes them anew.

#[test]
fn every_story_goes_as_it_is_told() {
    trycmd::TestCases::new()
        .env("SOURCE_DATE_EPOCH", "1790000000")
        .env("NO_COLOR", "1")
        .case("tests/cmd/*.trycmd");
}
