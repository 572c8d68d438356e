"""Tables with and without a line of names."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from superconv_tune.data.header_line import begins_with_names

NAMED = {
    "words above numbers": "a,b\n1,2\n3,4\n",
    "one word above numbers": "2019,2021,size\n1,2,3\n4,5,6\n",
    "the columns numbered by pandas": "0,1,2\n0.5,1.5,2.5\n1.5,0.5,2.0\n",
    "years": "country,1960,1961,1962\nAruba,54.2,55.4,56.2\nAngola,21.7,22.1,22.5\n",
    "wavelengths": "sample,400,400.5,401\na,0.1,0.3,0.2\nb,0.2,0.1,0.4\n",
    "and a label": "0,1,label\n0.5,1.5,x\n1.5,0.5,y\n",
    "pandas' index": ",a,b\n0,1,2\n1,3,4\n",
    "words only": "colour,form\nred,round\nblue,square\nred,square\n",
    "a usual label above its words": "text,label\nfine,label\nbad,y\n",
    "a short label": "x,y\nfine,good\nbad,poor\n",
    "a word above missing values and numbers": "a,b\nNA,1\n?,2\n3,4\n",
    "a year above words": "2019,note\nred,x\nblue,z\n",
    "nothing below": "a,b\n",
}
UNNAMED = {
    "abalone": "M,0.455,15\nM,0.35,7\nF,0.53,9\n",
    "german": "A11,6,A34,1\nA12,48,A32,2\nA11,12,A34,1\n",
    "phoneme": "1.24,0.875,0\n0.268,1.352,0\n",
    "iris": "5.1,3.5,1.4,0.2,Iris-setosa\n4.9,3.0,1.4,0.2,Iris-setosa\n",
    # dotnet/machinelearning-modelbuilder#623
    "a text and a number": "Wow... Loved this place.,1\nCrust is not good.,0\n",
    "words that occur again": "vhigh,2,small\nhigh,4,big\nvhigh,more,small\nlow,2,small\n",  # UCI's cars
    "answers": "republican,n,y,?\ndemocrat,y,n,y\nrepublican,n,y,y\n",  # UCI's votes
    "decimal commas": '"1,5","2,5",0\n"3,5","4,5",1\n',
    "a missing value first": "?,1.5,2\n3,2.5,4\n",
    "a place in two columns": "0,1\n3,2\n",  # too few to be numbers of columns
    "numbers in no order": "3,1,2\n1,2,3\n",
}


def lines(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), header=None, dtype="str", keep_default_na=False)


@pytest.mark.parametrize("name", NAMED)
def test_names_are_names(name: str) -> None:
    assert begins_with_names(lines(NAMED[name]))


@pytest.mark.parametrize("name", UNNAMED)
def test_values_are_values(name: str) -> None:
    assert not begins_with_names(lines(UNNAMED[name]))
