import type { Peer } from './comparison';

/** The libraries of each workload and the issue's goals for them. */
const plain = { name: 'plain hooks', python: 'main', peer: 'attribution.plain' } as const;

export const PYTORCH: Peer = { name: 'PyTorch', variants: [plain] };
export const PYTORCH_FIRST_TOKEN: Peer = { ...PYTORCH, goal: 2 };

export function attributionPeers(goal?: number): Peer[] {
  return [
    PYTORCH,
    {
      name: 'nnsight tutorial',
      goal,
      variants: [
        { name: 'as written', python: 'main', peer: 'attribution.nnsight' },
        { name: 'parameters frozen', python: 'main', peer: 'attribution.nnsight_frozen' },
      ],
    },
    {
      name: 'TransformerLens demo',
      goal,
      variants: [
        { name: 'as written', python: 'main', peer: 'attribution.lens' },
        { name: 'parameters frozen', python: 'main', peer: 'attribution.lens_frozen' },
      ],
    },
  ];
}

export function exactPeers(of: 'heads' | 'blocks', goal: number): Peer[] {
  return [
    {
      name: `TransformerLens ${of === 'heads' ? '`get_act_patch_attn_head_out_all_pos`' : '`get_act_patch_block_every`'}`,
      goal,
      variants: [
        { name: '4.x as it comes', python: 'main', peer: `exact.${of}` },
        { name: '4.x in inference mode', python: 'main', peer: `exact.${of}_inference` },
        { name: '2.x in inference mode', python: 'autoCircuit', peer: `exact.${of}_hooked` },
      ],
    },
  ];
}

export const EAP_PEERS: Peer[] = [
  { name: 'auto-circuit', goal: 0.5, variants: [{ name: '`mask_gradient_prune_scores`', python: 'autoCircuit', peer: 'edges.auto_circuit' }] },
  { name: 'PyTorch', variants: [{ name: 'plain', python: 'main', peer: 'edges.torch_eap' }] },
];

export const EAP_IG_PEERS: Peer[] = [
  {
    name: 'PyTorch',
    goal: 0.5,
    variants: [
      { name: 'contracted at each step', python: 'main', peer: 'edges.torch_eap_ig' },
      { name: 'gradients summed first', python: 'main', peer: 'edges.torch_eap_ig_summed' },
    ],
  },
];

export const CIRCUIT_PEERS: Peer[] = [
  { name: 'auto-circuit', goal: 1, variants: [{ name: '`run_circuits`', python: 'autoCircuit', peer: 'circuits.auto_circuit' }] },
];
