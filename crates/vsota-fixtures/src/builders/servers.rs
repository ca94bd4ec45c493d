//! What a server and its GPUs say of themselves: a log, a scrape of `/metrics`, a table of nvidia-smi.

/// The log of a vLLM server that came up.
pub fn server_log(version: &str, model: &str, prefix_caching: bool) -> String {
    let flag = if prefix_caching { "True" } else { "False" };
    let api = |place: &str, text: &str| {
        format!("(APIServer pid=11) INFO 11-24 07:53:29 [{place}] {text}\n")
    };
    let core = |place: &str, text: &str| {
        format!("(EngineCore pid=12) INFO 11-24 07:53:41 [{place}] {text}\n")
    };
    [
        api("api_utils.py:347", &format!("  ▄▄ ▄█ █     █     █ ▀▄▀ █  version {version}")),
        api("api_utils.py:347", &format!("   █▄█▀ █     █     █     █  model   {model}")),
        api("model.py:2152", "Using max model len 12000"),
        core(
            "core.py:133",
            &format!(
                "Initializing a V1 LLM engine (v{version}) with config: model='{model}', \
                 speculative_config=None, tokenizer='{model}', dtype=torch.bfloat16, \
                 max_seq_len=12000, tensor_parallel_size=2, quantization=None, enforce_eager=True, \
                 kv_cache_dtype=auto, seed=0, enable_prefix_caching={flag}, pooler_config=None"
            ),
        ),
        core(
            "kv_cache_utils.py:2327",
            "GPU KV cache size: 261,446 tokens, Maximum concurrency for 12,000 tokens per request: 21.79x",
        ),
        api("entry.py:140", "Starting vLLM server on http://127.0.0.1:8018"),
        "INFO:     Application startup complete.\n".into(),
        api(
            "loggers.py:335",
            "Engine 000: Avg prompt throughput: 317.4 tokens/s, Running: 0 reqs, Waiting: 0 reqs, \
             GPU KV cache usage: 0.0%, Prefix cache hit rate: 23.9%",
        ),
    ]
    .concat()
}

/// The log of a vLLM server that did not come up: the first message is the root.
pub fn server_log_failed(version: &str, message: &str) -> String {
    let at = "(EngineCore pid=25) ERROR 08-18 02:57:12 [core.py:1231] ";
    format!(
        "(APIServer pid=1) INFO 08-18 02:56:55 [api_utils.py:339]  ▄▄ ▄█ █     █     █ ▀▄▀ █  version {version}\n\
         {at}EngineCore failed to start.\n\
         {at}Traceback (most recent call last):\n\
         {at}  File \"/opt/venv/lib/python3.12/site-packages/vllm/v1/engine/core.py\", line 1200, in run\n\
         {at}    raise it\n\
         {at}{message}\n\
         (APIServer pid=1) Traceback (most recent call last):\n\
         (APIServer pid=1)   File \"/opt/venv/bin/vllm\", line 10, in <module>\n\
         (APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above.\n"
    )
}

/// A scrape of a vLLM server with two engines.
pub fn metrics(queries: u64, hits: u64, preemptions: u64) -> String {
    let mut out = String::new();
    let mut series = |name: &str, value: u64| {
        out.push_str(&format!("# HELP vllm:{name} A count.\n# TYPE vllm:{name} counter\n"));
        for (engine, value) in [(0, value - value / 3), (1, value / 3)] {
            let labels = format!("engine=\"{engine}\",model_name=\"demo, \\\"tiny\\\" {{moe}}\"");
            out.push_str(&format!("vllm:{name}{{{labels}}} {:?}\n", value as f64));
        }
    };
    series("prefix_cache_queries_total", queries);
    series("prefix_cache_queries_created", 1_795_505_346);
    series("prefix_cache_hits_total", hits);
    series("num_preemptions_total", preemptions);
    out.push_str(
        "vllm:cache_config_info{block_size=\"16\",cache_dtype=\"auto\",\
         enable_prefix_caching=\"False\",engine=\"0\",num_gpu_blocks=\"25028\"} 1.0\n\
         vllm:time_to_first_token_seconds_bucket{engine=\"0\",le=\"+Inf\"} 192.0\n\
         python_info{implementation=\"CPython\",version=\"3.12.1\"} 1.0\n",
    );
    out
}

/// The columns of [`nvidia_smi`].
pub const SMI_QUERY: &str =
    "index,name,clocks.sm,power.draw,memory.used,ecc.mode.current,clocks_throttle_reasons.active";

/// A table of two GPUs; with units in head and values, or `nounits`, or `noheader` besides.
pub fn nvidia_smi(units: bool, header: bool) -> String {
    let unit = |text: &str| if units { text.to_owned() } else { String::new() };
    let mut out = String::new();
    if header {
        out.push_str(&format!(
            "index, name, clocks.current.sm{}, power.draw{}, memory.used{}, ecc.mode.current, \
             clocks_event_reasons.active\n",
            unit(" [MHz]"),
            unit(" [W]"),
            unit(" [MiB]")
        ));
    }
    for (index, reasons) in [(0, "0x0000000000000001"), (1, "0x0000000000000004")] {
        out.push_str(&format!(
            "{index}, NVIDIA H100, 80GB HBM3, 1980{}, 405.68{}, 75688{}, [N/A], {reasons}\n",
            unit(" MHz"),
            unit(" W"),
            unit(" MiB")
        ));
    }
    out
}
