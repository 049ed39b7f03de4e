"""deploy/: the unit is confined and correct, the proxies' settings are accepted by the proxies."""

import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy/systemd/spillway.service"
EXPOSURE_MAX = 1.5


def program(name):
    """Installed, or unpacked by script/install."""
    return shutil.which(name) or next((str(path) for path in (ROOT / ".cache" / "tools").glob(f"**/bin/{name}")), None) or next((str(path) for path in (ROOT / ".cache" / "tools").glob(f"**/sbin/{name}")), None)


def test_the_unit_is_confined():
    result = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT], capture_output=True, text=True)
    match = re.search(r"Overall exposure level for spillway.service: ([\d.]+)", result.stdout)
    assert match, result.stdout + result.stderr
    assert float(match.group(1)) <= EXPOSURE_MAX, result.stdout


def test_the_unit_is_correct(tmp_path):
    """Every line is understood: systemd-analyze complains on standard error. The program need not be installed."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/local/bin/spillway", "/bin/true"))
    result = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True)
    complaints = [line for line in result.stderr.splitlines() if UNIT.name in line or str(tmp_path) in line]
    assert result.returncode == 0 and not complaints, result.stderr


def test_the_unit_gives_the_stop_its_time_and_comes_back():
    text = UNIT.read_text()
    assert int(re.search(r"^TimeoutStopSec=(\d+)", text, flags=re.M).group(1)) > 10
    assert "\nRestart=always\n" in text
    assert int(re.search(r"^LimitNOFILE=(\d+)", text, flags=re.M).group(1)) > 12000


def settings_named(text):
    return set(re.findall(r"\bSPILLWAY_[A-Z_]+", text))


def test_the_settings_of_the_unit_exist():
    page = (ROOT / "docs/settings.md").read_text()
    for path in (UNIT, ROOT / "deploy/systemd/spillway.env"):
        for name in settings_named(path.read_text()):
            general = re.sub(r"_(INVENTORY|ACCOUNTING|FULFILMENT)_", "_SERVICE_", name)
            assert f"`{general}`" in page, f"{path.name}: {name}"


def test_nginx_accepts_its_settings(tmp_path):
    nginx = program("nginx")
    if not nginx:
        pytest.skip("nginx is not installed")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "privkey.pem", "-out", tmp_path / "fullchain.pem",
                    "-subj", "/CN=orders.example", "-days", "1"], check=True, capture_output=True)
    site = (ROOT / "deploy/nginx/spillway.conf").read_text().replace("/etc/ssl/orders.example", str(tmp_path))
    folders = "".join(f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{folders}{site}\n}}\n")
    result = subprocess.run([nginx, "-t", "-q", "-p", tmp_path, "-c", tmp_path / "nginx.conf"], capture_output=True, text=True)
    # nginx 1.25 and later would rather have "http2 on", which Debian 12's 1.22 does not know.
    expected = ("could not open error log file", 'the "listen ... http2" directive is deprecated')
    complaints = [line for line in result.stderr.splitlines() if not any(text in line for text in expected)]
    assert result.returncode == 0 and not complaints, result.stderr


def test_caddy_accepts_its_settings():
    caddy = program("caddy")
    if not caddy:
        pytest.skip("caddy is not installed")
    result = subprocess.run([caddy, "validate", "--adapter", "caddyfile", "--config", ROOT / "deploy/caddy/Caddyfile"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
