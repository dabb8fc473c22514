"""Why a run failed, from its logs: what failed, where in the job's own code, why, what to do.

    files.py      what a log is, from its path
    scan.py       one pass over a log of any size -> blocks of lines that speak of trouble
    chain.py      a block -> the chain of exceptions, Python's and Java's, with the user's own line of code
    catalogue/    the causes that are known: data, a small rule each
    verdict.py    blocks and EMR's facts -> the one cause, or that none was found

Knows nothing of AWS, nor how anything is shown: it is handed files, and gives a Diagnosis.
"""

from scripts.diagnosis.files import log_files, of_folder, plain_name
from scripts.diagnosis.model import Diagnosis, Evidence, Facts, LogFile
from scripts.diagnosis.verdict import diagnose

__all__ = ["Diagnosis", "Evidence", "Facts", "LogFile", "diagnose", "log_files", "of_folder", "plain_name"]
