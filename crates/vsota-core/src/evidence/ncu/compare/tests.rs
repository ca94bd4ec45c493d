use alloc::borrow::ToOwned as _;
use alloc::vec;

use super::super::read;
use super::*;

type Row<'a> = (&'a str, &'a str, &'a str, &'a str);

/// An export of the page `details`: launches as kernel and rows (section, metric, unit, value).
fn details(launches: &[(&str, &[Row<'_>])]) -> String {
    let mut text = String::from(
        "\"ID\",\"Kernel Name\",\"Section Name\",\"Metric Name\",\"Metric Unit\",\"Metric Value\",\"Rule Name\"\n",
    );
    for (id, (kernel, rows)) in launches.iter().enumerate() {
        for (section, name, unit, value) in *rows {
            text += &format!(
                "\"{id}\",\"{kernel}\",\"{section}\",\"{name}\",\"{unit}\",\"{value}\",\n"
            );
        }
    }
    text
}

const SOL: &str = "GPU Speed Of Light Throughput";

fn refused(text: &str, kernel: Option<&str>) -> (Option<u64>, String, String) {
    let report = read(text.as_bytes());
    let error = report.and_then(|it| it.side(kernel).map(drop)).unwrap_err();
    (error.line, error.field.unwrap_or_default(), error.message)
}

#[test]
fn units_are_scaled_and_pages_have_one_name_for_a_metric() {
    let a = details(&[("k", &[(SOL, "Duration", "us", "6.75"), ("L", "x", "Kbyte", "2")])]);
    let b = "ID,Process ID,Kernel Name,Context,Stream,Device,CC,gpu__time_duration.sum,L: x\n\
             ,,,,,,,ns,byte\n0,1,k,1,7,0,9.0,5400,3000\n";
    let (a, b) = (read(a.as_bytes()).unwrap(), read(b.as_bytes()).unwrap());
    let compared = compare(&a.side(None).unwrap(), &b.side(None).unwrap()).unwrap();
    let us = |it: &[Measured]| it.iter().map(|it| it.get()).collect::<Vec<_>>();
    assert_eq!((us(&compared.baseline_us), us(&compared.candidate_us)), (vec![6.75], vec![5.4]));
    let x = compared.metrics.iter().find(|it| it.name.as_str() == "L: x").unwrap();
    assert_eq!((x.baseline.get(), x.candidate.get()), (2_000.0, 3_000.0));
}

#[test]
fn a_unit_that_is_of_another_kind_does_not_compare() {
    let one = [(SOL, "Duration", "us", "6.75"), ("L", "x", "%", "2")];
    let other = [(SOL, "Duration", "us", "6.75"), ("L", "x", "byte", "2")];
    let (line, field, message) = refused(&details(&[("k", &one), ("k", &other)]), None);
    assert_eq!((line, field.as_str()), (Some(5), "L: x"), "{message}");
    let a = read(details(&[("k", &one)]).as_bytes()).unwrap();
    let b = read(details(&[("k", &other)]).as_bytes()).unwrap();
    let error = compare(&a.side(None).unwrap(), &b.side(None).unwrap()).unwrap_err();
    assert_eq!((error.line, error.field.as_deref()), (Some(3), Some("L: x")));
    let odd = details(&[("k", &[(SOL, "Duration", "cycle", "6")])]);
    assert_eq!(refused(&odd, None).1, DURATION);
}

#[test]
fn one_kernel_is_compared_and_each_launch_has_a_duration() {
    let row = [(SOL, "Duration", "us", "6.75")];
    let two = details(&[("alpha<1>", &row), ("beta", &row)]);
    let (line, field, message) = refused(&two, None);
    assert_eq!((line, field.as_str()), (Some(3), "Kernel Name"));
    assert!(message.contains("2 kernels"), "{message}");
    assert_eq!(read(two.as_bytes()).unwrap().side(Some("beta")).unwrap().samples.len(), 1);
    assert_eq!(refused(&two, Some("gamma")).1, "Kernel Name");
    assert_eq!(refused(&two, Some("a")).0, Some(3));
    let none = details(&[("k", &row), ("k", &[("L", "x", "%", "2")])]);
    let (line, field, _) = refused(&none, None);
    assert_eq!((line, field.as_str()), (Some(3), DURATION));
    let zero = details(&[("k", &[(SOL, "Duration", "us", "0")])]);
    assert!(refused(&zero, None).2.contains("not a measurement"));
    let (a, b) = (details(&[("k", &row)]), details(&[("k", &row), ("k", &row)]));
    let (a, b) = (read(a.as_bytes()).unwrap(), read(b.as_bytes()).unwrap());
    let error = compare(&a.side(None).unwrap(), &b.side(None).unwrap()).unwrap_err();
    assert_eq!((error.line, error.field.as_deref()), (Some(3), Some("ID")));
}

#[test]
fn other_pages_and_broken_tables_are_named() {
    let cases: &[(&str, u64, &str, &str)] = &[
        ("", 1, "", "empty"),
        ("<!DOCTYPE html>\n", 1, "", "no table of Nsight Compute"),
        ("==ERROR== oh no\n", 1, "", "NCU says: oh no"),
        ("==ERROR== ERR_NVGPUCTRPERM - x\n", 1, "", "ERR_NVGPUCTRPERM"),
        ("a\n==WARNING== No kernels were profiled.\n", 2, "", "profiled no kernel"),
        (
            "Process ID,Kernel Name,Invocations,Section Name,Metric Name,Metric Unit,Minimum,Maximum,Average\n",
            1,
            "Metric Value",
            "summary",
        ),
        ("\"#\",\"Source\",\"Samples\"\n", 1, "Kernel Name", "the page `source`"),
        ("ID,Kernel Name,Device\n", 1, "Metric Name", "session"),
        ("ID,Kernel Name,Metric Name,Metric Unit,Metric Value\n", 1, "Section Name", "missing"),
        ("ID,Kernel Name,Section Name,Metric Name,Metric Unit,Metric Value\n", 1, "", "no launch"),
        (
            "ID,Kernel Name,Section Name,Metric Name,Metric Unit,Metric Value\n0,k,S,a\n",
            2,
            "ID",
            "4 cells",
        ),
        (
            "ID,Kernel Name,Section Name,Metric Name,Metric Unit,Metric Value\nhello there\n",
            2,
            "ID",
            "no id of a launch",
        ),
        (
            "ID,Kernel Name,Section Name,Metric Name,Metric Unit,Metric Value\n0,k,S,a,us,1-2\n",
            2,
            "a",
            "no number",
        ),
        ("ID,b,Kernel Name,c,d,e,f,g,h,m\n0,,k,,,,,,,1\n", 2, "ID", "row of units"),
        ("ID,b,Kernel Name,c,d,e,f,g,h,m\n,,,,,,,,,us\n0,,k\n", 3, "ID", "3 cells under 10"),
    ];
    for (text, line, field, message) in cases {
        let error = read(text.as_bytes()).unwrap_err();
        let found = (error.line, error.field.clone().unwrap_or_default());
        assert_eq!(found, (Some(*line), (*field).to_owned()), "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
    }
}

#[test]
fn a_file_from_power_shell_is_read() {
    let text = details(&[("k", &[(SOL, "Duration", "us", "6,75")])]);
    let wide: Vec<u8> =
        [0xFFu8, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let report = read(&wide).unwrap();
    assert_eq!(report.side(None).unwrap().samples[0].get(), 6.75);
}
