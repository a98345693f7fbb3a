import { LOGIT_METRICS } from '../shared/experiment';
import { SITE_NAMES } from '../shared/sites';

export const HELP = `Usage: circuit-explorer attribute FILE... [options]
       circuit-explorer patch FILE [options]
       circuit-explorer attention FILE --head LAYER.HEAD [options]
       circuit-explorer lens FILE [options]
       circuit-explorer intervene FILE [options]
       circuit-explorer paths FILE [options]
       circuit-explorer circuit FILE --edges N|--percent P|--import GRAPH|--curve [options]
       circuit-explorer verify-published gpt2 [--model FOLDER] [--circuit GRAPH] [--json]
       circuit-explorer models [--json]

attribute   Attribution patching of the prompt pairs in each FILE (*.prompts.json):
            which heads, positions and layers carry the difference between clean and corrupted.
patch       Exact activation patching beside the attribution's estimate, and how well they agree.
attention   What heads attend to after clean and corrupted, and what each cell carries.
lens        Logit lens and direct logit attribution, after clean and corrupted.
intervene   What the model says with --intervene (or the file's interventions) done to its run.
paths       Attribution of edges, from the output of one component to the input of another, and
            exact path patching beside it.
circuit     Finds a circuit in the edges, runs it with all other edges ablated, and says how
            faithful it is.
verify-published  Published numbers of GPT-2 small beside what comes out here.
models      The models on this machine that can be attributed.

FILE is a prompt file; the verbs from patch to circuit also take a stored run (*.safetensors, from
--out), whose experiment is its own. Options (what is given here wins over what the file says):
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
  --backend NAME       auto (the default), wasm-threads, wasm-simd, wasm, cpu; or, installed in
                       --native-folder: native, native-gpu, webgpu
  --threads N          threads of wasm-threads and native; 0 (the default): as many as serve
  --native-folder DIR  folder with packages of native backends in its node_modules (tfjs-node,
                       tfjs-node-gpu, webgpu); --backend auto tries them first
  --raw                scores in the metric's units, not as shares of the difference
  --top K              how many lines to list (10); of patch also: how many cells to verify
  --site NAMES         a list: what is listed (z) and computed (of attribute all but mlp_post)
                       ${SITE_NAMES.slice(0, 9).join(', ')},
                       ${SITE_NAMES.slice(9).join(', ')}
  --out FILE           of attribute, patch, paths and circuit: also write the run, as safetensors
  --json               one JSON document on standard output; of several files a list of them

Only of patch:
  --over WHAT          all (layer × head over all positions), last (at the metric's position),
                       positions (layer × position), by-position (layer × position × head),
                       cells (destination × source of one --head), neurons (layer × neuron)
  --full               every cell, instead of the --top by estimate

Of paths and circuit:
  --method NAME        eap, eap-ig=STEPS[:left|right|midpoint] (the default is eap-ig=5:left) or
                       clean-corrupted; of a stored run with edges: how they were attributed
  --layer-norm WHICH   through which LayerNorms the gradient runs as through a constant: full (none,
                       the default), receiver, all
  --export FILE        FILE.json (EAP-IG and MIB), FILE.dot (Graphviz), FILE.mmd (Mermaid), FILE.csv

Only of paths:
  --into NODE          only edges into this node: logits, m5, a9.h9 or 9.9, '9.9<q>'
  --from NODE          only edges out of this node
  --edge NAME          only this edge, such as 'a5.h5->a8.h6<v>'; may be repeated
  --exact WAY          patch the edges listed: direct, direct-frozen (the receiver's LayerNorm) or
                       through-mlps (other heads frozen, MLPs recomputed)
  --by-position        the one --edge by position

Only of circuit:
  --edges N, --percent P, --threshold T   the N strongest edges, P % of all, all of at least T
  --select HOW         top (the default), or greedy: from the logits up, edges into what is in
  --no-prune           keep edges that lie on no way from the input to the logits
  --ablation NAME      what all other edges carry: corrupted, zero, mean, resample (as --other)
  --evaluate FILE      run the circuit on these pairs too, which had no part in finding it
  --curve              faithfulness over MIB's budgets
  --random N           random circuits of the same size beside each (20); 0: none
  --seed N             of the random circuits and of --stability (0)
  --minimality         run it without each of its edges
  --acdc T             remove edges without which the metric falls by less than T (raw), one by one
  --stability          how much of it remains when the pairs are drawn anew
  --import GRAPH       run the circuit of an EAP-IG or MIB graph file
  --name TEXT          what it is called in the run that --out writes

UNIT is SITE:LAYER[.HEAD][@POSITION][<SOURCE], mlp_post:LAYER[#NEURON][@POSITION], embed[@POSITION]:
z:9.6 is a head, mlp_out:5 a layer's MLP, z:9.6@-1 a head at the last token, @last at the metric's.

  --help, --version

Positive scores support the correct answer. Exit code: 0 done, 2 the input is wrong
(the message says file:line:column), 3 cancelled, 1 anything else, such as a published number that
is off. Ctrl-C cancels, twice kills; patch --out and paths --out keep what they have measured, and
the same verb on that file goes on from there.
`;
