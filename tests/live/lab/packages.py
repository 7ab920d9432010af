# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of Debian packages that are unpacked and not installed, so that no service starts."""
import glob
import os
import subprocess

from lab.netlab import Skip


def download(folder, packages):
    """The packages' files in the folder. Skips where they cannot be had."""
    os.makedirs(folder, exist_ok=True)
    got = subprocess.run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages], cwd=folder,
                         capture_output=True, text=True, check=False)
    if got.returncode:
        raise Skip(f"apt-get download {' '.join(packages)}: {got.stderr.strip()}")
    return [path for package in packages for path in glob.glob(os.path.join(folder, package + "_*.deb"))]


def missing_needs(package):
    """Packages that it needs and that are not installed, itself among them."""
    plan = subprocess.run(["apt-get", "install", "-s", "--no-install-recommends", package], capture_output=True,
                          text=True, check=False)
    return [line.split()[1] for line in plan.stdout.splitlines() if line.startswith("Inst ")]


def unpacked(folder, package, path, needs=False):
    """The path of a program of the package; needs: of a package whose libraries may be missing, too."""
    program = os.path.join(folder, path)
    if not os.path.exists(program):
        packages = [package, *(set(missing_needs(package)) - {package} if needs else ())]
        for one in download(folder, packages):
            subprocess.run(["dpkg-deb", "-x", one, folder], check=True)
    return program
