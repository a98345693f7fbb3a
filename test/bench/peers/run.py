"""One measured side in Python, in a process of its own. Reads a Request as JSON on standard input, prints one JSON line:
{"versions", "load", "first", "isWhole", "seconds", "values", "peakMegabytes"}. All in float32 on the CPU.

`peer` names a module of this folder and a function of it: "attribution.nnsight_frozen".
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import warnings


def main() -> None:
    # Before the libraries are imported, which read them then.
    os.environ |= {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1", "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    fields = json.load(sys.stdin)
    os.environ["OMP_NUM_THREADS"] = str(fields["threads"])

    import torch

    from common import Request, measured

    torch.set_num_threads(fields["threads"])
    request = Request(**fields)
    module, function = request.peer.split(".")
    prepare = getattr(importlib.import_module(module), function)
    # Libraries print while they work; standard output is for the answer.
    answer, sys.stdout = sys.stdout, sys.stderr
    result = measured(prepare, request)
    result["versions"] = {"python": sys.version.split()[0]} | result["versions"]
    json.dump(result, answer)


if __name__ == "__main__":
    main()
