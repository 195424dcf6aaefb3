#!/usr/bin/env bash
# Makes the paper's Tables I to III in small, and the sweep over the parts of the loss: see docs/results.md.
# A small CLIP of faces takes minutes an epoch on two cores, so few samples and epochs are trained; every setting that
# differs from a method's defaults stands here. TOKENIZER names the tokenizer of weights that bring none.
set -euo pipefail
if [ $# -ne 4 ]; then
    echo "usage: $0 WEIGHTS FER2013 CKPLUS DIR" >&2
    exit 2
fi
weights=$1 fer=$2 ck=$3 out=$4
here=$(cd "$(dirname "$0")/.." && pwd)
common=(--weights "$weights" ${TOKENIZER:+--tokenizer "$TOKENIZER"} --pretrain-epochs 0 --select last
    --set features=cached --device cpu)
# The CLIP knows the words of its captions, which are nouns. A new head learns at ten times the tower's rate.
methods=(--set coop.names=nouns --set zeroShot.names=nouns --set probe.maxIterations=300
    --set head.learningRateFactor=10 --stage1-epochs 60 --stage2-lr 1e-4 --seeds 1,2,3)
few=(--recipe photographs --data "$fer" --dataset fer2013 --shots 100)

"$here/cliper-gpu" compare "${few[@]}" "${common[@]}" "${methods[@]}" --stage2-epochs 2 --set evaluateEvery=2 \
    --out "$out/fer2013"
"$here/cliper-gpu" compare --recipe ckplus --data "$ck" --fold 1 "${common[@]}" "${methods[@]}" --stage2-epochs 8 \
    --set evaluateEvery=8 --out "$out/ckplus"
"$here/cliper-gpu" sweep --method coop "${few[@]}" "${common[@]}" --set coop.names=nouns --stage1-epochs 60 \
    --set stage1.learningRate=0.02,0.2,2 --out "$out/coop-rates"
"$here/cliper-gpu" sweep --preset metd "${few[@]}" "${common[@]}" --seeds 1,2,3 --stage1-epochs 60 --stage2-epochs 0 \
    --out "$out/metd"
"$here/cliper-gpu" sweep --preset losses "${few[@]}" "${common[@]}" --stage1-epochs 60 --stage2-epochs 0 \
    --out "$out/losses-fer2013"
"$here/cliper-gpu" sweep --preset losses --recipe demo \
    --weights "$here/src/Cliper.Model/models/faces-clip.safetensors" --set drawnPictures=1400 --set features=cached \
    --stage1-epochs 20 --stage2-epochs 0 --device cpu --out "$out/losses-drawn"
