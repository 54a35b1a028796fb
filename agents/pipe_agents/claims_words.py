"""Words that names and numbers of claims are told by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final


def listed(words: str) -> list[str]:
    return words.split()


def _set(words: str) -> frozenset[str]:
    return frozenset(listed(words))


COMMON: Final = _set(
    """experience impact space
    a about above access active actual after again all also although always an and another any are around as at away
    back bad be because been before behind being below beside best between big bigger both busy but by can
    cannot case cause central certain check choose clean client come common complete consider contact correct
    could crash critical current customer data database date dead deep dependent did different do does doesn't
    don't done down due during each either else empty end enough even event every exact example exit exist
    external fail failure fault few file find fine first for foreign four free frequent from full further get
    give go good had half hang has have healthy heavy help her here high his host how however i idle if
    important in inside instance internal into is isn't issue it its itself just keep kernel kill know known
    large last latest least leave less let like listen little load local log long look loop lose low machine
    main make many master may mean means memory method might missing model modern more most much must name near
    nearby need network never new next no node none nor normal not now of off offer often old on once one only
    open or original other our out outside over overall own parent part particular past peer per point poor
    possible primary private problem process proper public put quiet re-start reach ready real reason receive
    recent refuse remain remote remove reply report request require reset resource respond restart result return
    right root rule run same say second secondary see seem send separate server service several shall she short
    should show side similar since single slow small so some soon source specific spend stable start state
    status stay step still stop strange stuck such suffer suspect suspicious system take talk target tell
    temporary test than that the their them themselves then there therefore these they thing think third this
    those though thread three through throughout time to together too top total traffic try turn api proxy cache
    two under unhealthy unit until unusual up upon use user usual very via virtual wait want was watch way we
    web were what when where whereas whether which while who whole whose why will with within without word work
    worker worst would write wrong yet you your answer consume dns tls tcp http https name-server log-in busiest
    essential neighbouring neighbour upstream downstream backend frontend back-end front-end application app
    production staging monitored manager management level side-by-side address addresses port ports path
    memory-hungry cpu disk io i/o swap time-out timeout upgrade update version became become becomes grow grew
    hit hold lack lead left leaves lost made met moved never-ending ran saw seen sent stood terminated took went
    won't wouldn't can't couldn't didn't hasn't haven't wasn't weren't yours ours theirs failover replica
    standby leader follower cluster mail database's host's server's service's process's container's pod's s
    definition configuration config logs metrics images limits names ids id crashes processes statuses accounts
    health healthcheck health-check uptime list count table file-system filesystem"""
)
"""Words beside `service`, `host`, `pod` that name none."""

_GROUPS: Final = """
postgresql postgres psql pgbouncer
mysql mariadb mysqld innodb
mongodb mongo mongod
redis valkey
memcached
kafka
zookeeper
rabbitmq
elasticsearch opensearch
cassandra
etcd
clickhouse
influxdb
nginx
apache httpd apache2
haproxy
traefik
envoy
caddy
tomcat
gunicorn
uwsgi
celery
sidekiq
jenkins
gitlab
grafana
prometheus
loki
kibana
logstash
fluentd
consul
minio
ceph
samba
postfix
dovecot
exim
dnsmasq
unbound
coredns
squid
varnish
keycloak
ldap slapd openldap
cron crond
ssh sshd openssh
docker dockerd
containerd
podman
kubernetes k8s kubelet kubectl
ntp chrony chronyd ntpd
java jvm
php php-fpm
wordpress
oracle
sqlserver mssql
iptables nftables
fail2ban
openvpn
wireguard
"""
SOFTWARE: Final[Mapping[str, str]] = {
    name: group.split()[0] for group in _GROUPS.strip().splitlines() for name in group.split()
}
"""Names of software that somebody may blame, and the first of its names."""
PORTS_OF: Final[Mapping[str, tuple[int, ...]]] = {
    "postgresql": (5432, 6432), "mysql": (3306,), "mongodb": (27017,), "redis": (6379,), "memcached": (11211,),
    "kafka": (9092,), "zookeeper": (2181,), "rabbitmq": (5672, 15672), "elasticsearch": (9200, 9300),
    "cassandra": (9042,), "etcd": (2379, 2380), "ssh": (22,), "ldap": (389, 636), "ntp": (123,), "docker": (2375, 2376),
    "kubernetes": (6443, 10250), "consul": (8500,), "prometheus": (9090,), "grafana": (3000,), "samba": (445,),
}  # fmt: skip
COMMANDS: Final = _set(
    """df du free top htop ps ss netstat lsof dmesg journalctl systemctl service uptime vmstat iostat mpstat sar iotop
    kubectl docker podman crictl curl wget dig nslookup host ping traceroute mtr ip ifconfig route nc openssl telnet ssh
    tail head less more cat grep zgrep awk sed sort uniq wc find ls stat lsblk mount umount smartctl fdisk ncdu strace
    tcpdump last lastb who w id sudo logrotate apt dnf yum rpm dpkg aws pipe psql mysql chronyc timedatectl hostnamectl
    resolvectl nmap pidstat watch kill ulimit sysctl swapon fallocate truncate crontab nft iptables ufw fail2ban-client
    ethtool pgrep pmap perf jstack jmap time date xargs sh bash true false null rm cp mv true"""
)
SUBCOMMANDS: Final = _set(
    """status restart start stop reload enable disable show list logs log get describe exec top pods pod nodes node svc
    service services deploy deployment events inspect stats ps images system prune df vacuum-size vacuum-time unit since
    until follow lines boot dev null addr link route rule neigh all sort head tail rollout history wide name type size
    human-readable max-depth count head follow previous namespace container err warning error print connect showcerts
    servername s_client x509 noout dates tracking sources and the for with from not user"""
)
TECHNICAL: Final = re.compile(
    r"ipv[46]|http/?[123]|sha-?\d+|md5|x86_64|amd64|arm64|ext[234]|utf-?\d+|k8s|s3|ec2|l[2347]|layer-?\d|p\d\d|"
    r"rfc-?\d+|oauth2?|log4j|"
    r"h2|base64|cgroups?-?v?2|python3|b2b|tcp[46]|udp[46]|inet6|x509|pkcs-?\d+|aes-?\d+|crc32|route53|i18n|fail2ban|apache2",
    re.I,
)
