# also right: the chain stays and is empty. The table's other chain is not touched.
podwalk node "$WORKER2" -- nft flush chain inet baseline transit
