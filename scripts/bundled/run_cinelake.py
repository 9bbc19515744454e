"""The command `cinelake` for spark-submit: `spark-submit … --py-files cinelake.zip run_cinelake.py --env cluster run`.

It takes the jobs and the conf that lie beside it, wherever it is called from.
"""

import os
from pathlib import Path

# In cluster mode the file arrives alone, and jobs/ and conf/ are unpacked in the working directory (--archives).
BESIDE = Path(__file__).resolve().parent / "conf"
if (BESIDE / "base.toml").is_file():
    os.environ.setdefault("CINELAKE_CONF", str(BESIDE))

from cinelake.runtime.cli import main  # noqa: E402 - what it imports may look for the conf

if __name__ == "__main__":
    main()
