import { LOGIT_METRICS } from '../shared/experiment';
import { SITE_NAMES } from '../shared/sites';

export const HELP = `Usage: circuit-explorer attribute FILE... [options]
       circuit-explorer patch FILE [options]
       circuit-explorer attention FILE --head LAYER.HEAD [options]
       circuit-explorer lens FILE [options]
       circuit-explorer intervene FILE [options]
       circuit-explorer models [--json]

attribute   Attribution patching of the prompt pairs in each FILE (*.prompts.json):
            which heads, positions and layers carry the difference between clean and corrupted.
patch       Exact activation patching beside the attribution's estimate, and how well they agree.
attention   What heads attend to after clean and corrupted, and what each cell carries.
lens        Logit lens and direct logit attribution, after clean and corrupted.
intervene   What the model says with --intervene (or the file's interventions) done to its run.
models      The models on this machine that can be attributed.

FILE is a prompt file; the verbs below attribute also take a stored run (*.safetensors, from --out),
whose experiment is its own. Options (what is given here wins over what the file says):
  --pair N|NAME        only this pair, by its name or by its number counted from 1; may be repeated
  --model ID|FOLDER    "bundled" (the default), a model in the Hugging Face cache, or a folder
  --direction WAY      denoise (the default): clean activations patched into the corrupted run;
                       noise: corrupted activations patched into the clean run
  --other NAME         what is on the other side: corrupted (the default), zero, mean, resample
  --metric NAME        what is measured: ${LOGIT_METRICS.slice(0, 6).join(', ')},
                       ${LOGIT_METRICS.slice(6).join(', ')}, attention:L.H, neuron:L#N, directLogit:L[.H]
  --at PLACE           where it is read: a token index (--at=-1: the last) or a named position
  --source PLACE       of an attention metric: the position that the head looks at
  --range FIRST,LAST   of promptLogProb: the positions whose predictions count
  --variant NAMES      of attribution, a list: freeze-layernorm, freeze-pattern, both-gradients,
                       qk-fix, grad-drop, ig=STEPS[:left|right|midpoint]; none: not the file's
  --stop UNIT          no gradient flows back through this part; may be repeated
  --intervene UNIT=WITH  this part is replaced in the base run by other, zero, mean or resample;
                       may be repeated
  --bos, --no-bos      put the model's BOS token before each prompt, or do not
  --backend NAME       auto (the default), wasm-threads, wasm-simd, wasm or cpu
  --threads N          threads of wasm-threads; 0 (the default): as many as serve
  --raw                scores in the metric's units, not as shares of the difference
  --top K              how many lines to list (10); of patch also: how many cells to verify
  --site NAMES         a list: what is listed (z) and computed (of attribute all but mlp_post)
                       ${SITE_NAMES.slice(0, 9).join(', ')},
                       ${SITE_NAMES.slice(9).join(', ')}
  --out FILE           of attribute and patch: also write the run, as safetensors
  --json               one JSON document on standard output; of several files a list of them

Only of patch:
  --over WHAT          all (layer × head over all positions), last (at the metric's position),
                       positions (layer × position), by-position (layer × position × head),
                       cells (destination × source of one --head), neurons (layer × neuron)
  --full               every cell, instead of the --top by estimate

UNIT is SITE:LAYER[.HEAD][@POSITION][<SOURCE], mlp_post:LAYER[#NEURON][@POSITION], embed[@POSITION]:
z:9.6 is a head, mlp_out:5 a layer's MLP, z:9.6@-1 a head at the last token, @last at the metric's.

  --help, --version

Positive scores support the correct answer. Exit code: 0 done, 2 the input is wrong
(the message says file:line:column), 3 cancelled, 1 anything else. Ctrl-C cancels, twice kills;
patch --out keeps what it has measured, and patch on that file goes on from there.
`;
