. /tmp/lab/fz.sh
nice -n 10 python -m rise_learning.train_policy --preset small --bags bags/dT30 --imitation --out runs/sm0 --seed 0 --threads 1
for s in 7000000 7000100; do nice -n 10 python -m rise_learning.evaluate --run runs/sm0/imitation --level steady --episodes 100 --seed $s --workers 1 --out runs/sm0/im_$s.json --json; done
