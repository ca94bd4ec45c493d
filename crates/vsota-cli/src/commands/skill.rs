//! `vsota skill`: the tool as a skill of an agent.

group! {
    /// The tool as a skill of Claude Code or Codex
    SkillArgs / SkillCommand {
        Install => install::InstallArgs,
    }
}
