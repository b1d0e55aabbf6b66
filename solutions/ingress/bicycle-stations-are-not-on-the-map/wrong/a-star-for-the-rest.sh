# fails: the pier has its page
# Another star, this time in front of everything: *.example. It is still one label, and takes in strangers beside.
kubectl -n bicycles create ingress more --class nginx --rule '*.example/*=front:80'
kubectl -n bicycles create ingress canal --class nginx --rule 'canal.velo.example/*=stations:80'
