//! `vsota hook`: the gates inside an agent's own hooks.

group! {
    /// Answer the hooks of Claude Code, Codex and git, and install them
    HookArgs / HookCommand {
        Install => install::InstallArgs,
        PreCommit => pre_commit::PreCommitArgs,
        PreToolUse => pre_tool_use::PreToolUseArgs,
        SessionStart => session_start::SessionStartArgs,
        Stop => stop::StopArgs,
    }
}
