//! The launcher of the kind `slurm`, against stand-ins of sbatch, squeue and sacct that behave as those of
//! Slurm 22.05 did on one node: `--parsable` prints the number of the job, a job that ended is not listed,
//! and where nobody keeps account sacct ends with 1.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use super::launchers::Host;
use super::runs::Site;

struct Cluster {
    site: Site,
    dir: Utf8PathBuf,
    _host: Host,
}

impl Cluster {
    /// A campaign whose SGLang candidates go to Slurm; `body` is what a job does with its tasks.
    fn new(body: &str) -> Self {
        Self::started(body, "", "")
    }

    /// The same behind other words, with what `sbatch` says after the number.
    fn started(body: &str, more: &str, says: &str) -> Self {
        let site =
            Site::new(|plan| format!("launchers: {{sglang: {{kind: slurm{more}}}}}\n{plan}"));
        let dir = site.run.parent().unwrap().join("slurm");
        fs::create_dir(&dir).unwrap();
        let sbatch = format!(
            "#!/bin/sh\nn=$(cat {dir}/count 2>/dev/null || echo 100); n=$((n + 1)); echo $n >{dir}/count\n\
             echo \"$@\" >{dir}/$n.args\nfor it; do case $it in --array=0-*) last=${{it#--array=0-}} ;; \
             --job-name=*) echo ${{it#*=}} >{dir}/$n.name ;; esac; script=$it; done\n\
             printf '%s' \"for i in $(seq -s ' ' 0 $last); do {body}; done\" >{dir}/$n.new\n\
             mv {dir}/$n.new {dir}/$n.cmd\necho \"$n{says}\"\n"
        );
        let squeue = format!(
            "#!/bin/sh\necho \"$@\" >>{dir}/asked\nfor it; do case $it in --name=*) name=${{it#*=}} ;; esac; done\n\
             for it in {dir}/*.name; do n=${{it%.name}}; [ \"$(cat $it)\" = \"$name\" ] && \
             [ ! -e $n.rc ] && echo ${{n##*/}}_0; done\nexit 0\n"
        );
        let sacct = format!(
            "#!/bin/sh\necho \"$@\" >>{dir}/asked\necho 'Slurm accounting storage is disabled' >&2\nexit 1\n"
        );
        let scontrol =
            "#!/bin/sh\necho 'JobId=101 ArrayJobId=101 JobState=NODE_FAIL Reason=None'\n";
        for (name, script) in [
            ("sbatch", sbatch.as_str()),
            ("squeue", &squeue),
            ("sacct", &sacct),
            ("scontrol", scontrol),
        ] {
            fs::write(dir.join(name), script).unwrap();
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let host = Host::watching(dir.clone());
        Self { site, dir, _host: host }
    }

    fn bench_run(&self) -> Command {
        let mut command = self.site.vsota();
        let path = format!("{}:{}", self.dir, std::env::var("PATH").unwrap());
        command.args(["bench", "run", "--grace", "1"]).env("PATH", path);
        command
    }

    /// What was submitted.
    fn submitted(&self) -> Vec<String> {
        let all = self.dir.read_dir_utf8().unwrap().map(|it| it.unwrap().path().to_owned());
        let all = all.filter(|it| it.extension() == Some("args"));
        all.map(|it| fs::read_to_string(it).unwrap()).collect()
    }
}

const ALL: &str = "SLURM_ARRAY_TASK_ID=\\$i sh $script >/dev/null 2>&1";

/// Killed while the array is on its way: the next call waits for that array, and submits it no second time.
#[test]
fn candidates_go_as_one_array_and_are_gathered_once() {
    let cluster = Cluster::new(ALL);
    let mut child = cluster.bench_run();
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    // Its first task has begun.
    let own = cluster.site.run.join("benchmark/running/array-sglang-1/0");
    while !own.join("launch.json").exists() {
        assert!(begun.elapsed() < Duration::from_secs(120), "nothing is submitted");
        thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // Words of a task that began are told, not lost with its directory.
    fs::write(own.join("error.txt"), "the disk is full").unwrap();
    let ended = cluster.bench_run().output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{told}");
    assert!(told.contains("sglang-base: the disk is full"), "{told}");
    let whole = |it: &&String| it.contains("--array=0-3");
    let submitted = cluster.submitted();
    assert_eq!(submitted.iter().filter(whole).count(), 1, "{submitted:?}");
    assert!(submitted.iter().all(|it| it.starts_with("--exclusive --parsable ")), "{submitted:?}");
    let mut rows = cluster.site.rows();
    rows.retain(|it| it["framework"] == "sglang");
    assert!(rows.len() >= 8, "{}", rows.len());
    let mut digests: Vec<String> =
        rows.iter().map(|it| it["result"]["sha256"].to_string()).collect();
    for row in &rows {
        assert_eq!(row["status"], "ok", "{row}");
        assert!(!row["server_command"].to_string().contains("sbatch"), "{row}");
    }
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), rows.len(), "a result is counted twice");
    assert!(!cluster.site.run.join("benchmark/running").exists());
}

/// `sbatch -M` says which cluster took the job: everybody else is asked about it there.
#[test]
fn tasks_that_never_began_are_named() {
    let more = ", start: sbatch -M west";
    let cluster = Cluster::started(":", more, ";west");
    let ended = cluster.bench_run().output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("sglang-base never began: NODE_FAIL"), "{told}");
    // They are no failures of the candidates: nothing is filed of them.
    assert!(cluster.site.rows().iter().all(|it| it["framework"] != "sglang"));
    let asked = fs::read_to_string(cluster.dir.join("asked")).unwrap();
    assert!(
        asked.lines().count() > 2 && asked.lines().all(|it| it.starts_with("-M west ")),
        "{asked}"
    );
}
