# also right: a second Ingress by another name, made with its class from the start; the old one goes.
kubectl -n otter-pool create ingress otters-page --class nginx --rule 'otters.example/*=otters:80'
kubectl -n otter-pool delete ingress otters
