"""The words that synthetic prompts are made of."""

from __future__ import annotations

_TEXT = """
    the of and to in is that for it as was with be by on not he his but at are this have from or had an they
    which one you were all her she there would their we him been has when who will no more if out so up said
    what its about than into them can only other time new some could these two may first then do any like my now
    over such our man me even most made after also did many off before must well back through years much where
    your way down should because long each just those people too state good very make world still see own work
    men day get here between life being under three never know same last another while us might great year come
    since against go came right used take place number part fact hand high small large system home water school
    house night point room city word side head found every during without however around away again second few
    though thought went enough called say does far end left once put took almost later kind group public order
    program question case early power until study line young things turn given face days area best ask mind name
    problem both form help better need white family feel country always become hold often general old next use
    look light book open close change move plan play story table music paper letter river road town field market
    price human child woman law business service company
"""

WORDS: tuple[str, ...] = tuple(_TEXT.split())
"""Common English words, each of which is one token (with its space before it) in the vocabularies of most models."""
