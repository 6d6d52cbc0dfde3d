"""Compiles headers with the system's compilers, and runs them on rows of X."""

import shutil
import subprocess

import numpy as np
import pytest

STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion")
C99 = ("gcc", "-std=c99", *STRICT, "-O1")
CPP = ("g++", *STRICT, "-O1")
FAST = ("gcc", "-std=gnu99", "-Wall", "-Wextra", "-Werror", "-O2", "-march=native")  # fuses, too
CPP_AS_TOLD = ("g++", "-Wall", "-Wextra", "-Werror")
SANITIZED = (*C99, "-fsanitize=undefined,float-cast-overflow", "-fno-sanitize-recover=all")

needs_gcc = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("g++")), reason="no gcc and g++"
)

MAIN = """#include <stdio.h>
{includes}
static int read_rows(FILE *file, void *rows, size_t size, size_t n) {{
  return fread(rows, size, n, file) == n;
}}
int main(int n_arguments, char **arguments) {{
  FILE *in = fopen(arguments[1], "rb"), *out = fopen(arguments[2], "wb");
  if (n_arguments != 3 || in == 0 || out == 0) {{
    return 1;
  }}
{runs}
  return fclose(in) + fclose(out);
}}
"""
CLASSIFY = """    const uint32_t number = {name}_predict(x);
    float p[{n}];
    {name}_predict_proba(x, p);
    fwrite(&number, 4u, 1u, out);
    fwrite(p, sizeof p, 1u, out);
    fputs({name}_class_name((uint16_t)number), stderr);
"""
NUMBERS = """    float y[{n}];
    const uint32_t number = 0u;
    {name}_predict(x, y);
    fwrite(&number, 4u, 1u, out);
    fwrite(y, sizeof y, 1u, out);
"""
LOGITS = """    {{
      int32_t z[{n_z}];
      {name}_logits(x, z);
      fwrite(z, sizeof z, 1u, out);
    }}
"""


def run(headers, folder, compiler=C99, *, integers=False, libraries=("-lm",)):
    """Compile headers into one program and run each on its rows.

    `headers` has (name, text, rows, number of classes or outputs, outputs of the last layer or 0 of
    a regression). Returns (class numbers, probabilities or numbers, integer sums or None) of each.
    """
    source = folder / ("main.cpp" if compiler[0] == "g++" else "main.c")
    runs, record, given = [], [], []
    for name, text, rows, n, n_z, is_regression in headers:
        (folder / f"{name}.h").write_text(text, encoding="ascii")
        kind = {"float32": "float", "uint8": "uint8_t"}[rows.dtype.name]
        width = rows.shape[1]
        body = (NUMBERS if is_regression else CLASSIFY) + (LOGITS if integers else "")
        runs.append(
            f"  for (int i = 0; i < {len(rows)}; ++i) {{\n    {kind} x[{max(width, 1)}];\n"
            f"    if (!read_rows(in, x, sizeof x[0], {width}u)) {{ return 2; }}\n"
            + body.format(name=name, n=n, n_z=n_z)
            + "  }"
        )
        fields = [("number", np.uint32), ("y", np.float32, (n,))]
        record.append((fields + [("z", np.int32, (n_z,))] * integers, len(rows)))
        given.append(np.ascontiguousarray(rows).tobytes())
    includes = "\n".join(f'#include "{name}.h"' for name, *_ in headers)
    source.write_text(MAIN.format(includes=includes, runs="\n".join(runs)), encoding="ascii")
    compile_file(source, folder / "program", compiler, libraries)
    (folder / "in").write_bytes(b"".join(given))
    done = subprocess.run(
        [folder / "program", folder / "in", folder / "out"], capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    content, results = (folder / "out").read_bytes(), []
    for fields, n in record:
        dtype = np.dtype(fields)
        results.append(np.frombuffer(content[: n * dtype.itemsize], dtype))
        content = content[n * dtype.itemsize :]
    assert not content
    return results


RAW = """
#define {upper}_SELF_TEST
#define main {name}_main
#include "{name}.h"
#undef main
static void {name}_all(FILE *out) {{
  for (unsigned i = 0u; i < {rows}u; ++i) {{
    float y[{n}];
    {name}_{function}(&{name}_test_row[i], y);
    fwrite(y, sizeof y, 1u, out);
  }}
}}
"""


def run_raw(headers, folder, compiler=C99, libraries=("-lm",)):
    """Compile headers that read raw cells, and predict the rows of their self-tests.

    `headers` has (name, text, number of rows, number of classes or outputs, is it a regression).
    Returns the probabilities or numbers of each; their own self-tests must agree, too.
    """
    source = folder / ("main.cpp" if compiler[0] == "g++" else "main.c")
    parts, calls, tests = ["#include <stdio.h>"], [], []
    for name, text, rows, n, is_regression in headers:
        (folder / f"{name}.h").write_text(text, encoding="ascii")
        function = "predict" if is_regression else "predict_proba"
        named = {"name": name, "upper": name.upper(), "function": function}
        parts.append(RAW.format(**named, rows=rows, n=n))
        calls.append(f"  {name}_all(out);")
        tests.append(f"{name}_main()")
    parts.append("int main(int n, char **arguments) {")
    parts.append('  FILE *out = fopen(arguments[n - 1], "wb");')
    parts += [*calls, f"  return fclose(out) + {' + '.join(tests)};", "}"]
    source.write_text("\n".join(parts), encoding="ascii")
    compile_file(source, folder / "program", compiler, libraries)
    done = subprocess.run([folder / "program", folder / "out"], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    content, results = np.fromfile(folder / "out", np.float32), []
    for _, _, rows, n, _ in headers:
        results.append(content[: rows * n].reshape(rows, n))
        content = content[rows * n :]
    assert not len(content)
    return results


def raw_header(net, table, name, **options):
    """What `run_raw` needs of a network of a table."""
    text = net.to_c(name=name, inputs="raw", self_test=table, **options)
    n = net.layers[-1] if net.is_regression else len(net.classes)
    return name, text, len(table), n, net.is_regression


def compile_file(source, program, compiler=C99, libraries=("-lm",)):
    """Compile one file, with no warning."""
    language = ["-x", "c++" if compiler[0] == "g++" else "c"]
    done = subprocess.run(
        [*compiler, *language, source, "-o", program, *libraries],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[:3000]


def header(net, rows, name, **options):
    """What `run` needs of a network."""
    text = net.to_c(name=name, **options)
    n = net.layers[-1] if net.is_regression else len(net.classes)
    return name, text, rows, n, net.layers[-1], net.is_regression
