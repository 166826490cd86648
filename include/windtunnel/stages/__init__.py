"""What a search's tasks do, stage by stage. Every function may be repeated at any time: it does what is not done."""

from windtunnel.stages.finalists import choose_finalists
from windtunnel.stages.history import History
from windtunnel.stages.iterations import goes_on, select, suggest
from windtunnel.stages.preparation import prepare_job
from windtunnel.stages.publishing import publish, refuse
from windtunnel.stages.search import Search
from windtunnel.stages.session import begin
from windtunnel.stages.verification import plan_verification
from windtunnel.stages.warm_start import start

__all__ = [
    "History",
    "Search",
    "begin",
    "choose_finalists",
    "goes_on",
    "plan_verification",
    "prepare_job",
    "publish",
    "refuse",
    "select",
    "start",
    "suggest",
]
