"""What the images say of channels, files and labels: each sentence of contracts/xgboost.md 1.4, 1.5 and 2 has a case.

Hyperparameters have theirs in src/learn/hyperparameter_rules_test.cc.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess

import numpy as np
import pytest
import xgboost
from harness import training

ORACLE17 = pathlib.Path(__file__).parents[2] / ".venv-oracle17" / "bin" / "python"

LIBSVM = "".join(f"{i % 2} 0:{i % 7} 1:{i % 5}.5\n" for i in range(40))
CSV = "".join(f"{i % 2},{i % 7},{i % 5}.5\n" for i in range(40))
BINARY = {"objective": "binary:logistic", "num_round": "2"}
ACCEPTED = ("csv, libsvm, parquet, recordio-protobuf, text/csv, text/libsvm, text/x-libsvm, application/x-parquet, "
            "application/x-recordio-protobuf.")


@dataclasses.dataclass
class Told:
    """A job that fails, and pieces of its reason."""

    pieces: list[str]
    channels: dict[str, str | dict[str, str]]
    image: str = "3.2-0"
    content_type: str = "text/libsvm"
    hyperparameters: dict[str, str] = dataclasses.field(default_factory=lambda: dict(BINARY))
    mode: str = "File"


MULTI = {"objective": "multi:softmax", "num_class": "3", "num_round": "2"}
TOLD = {
    # 1.4: the oldest image.
    "no train channel, oldest": Told(["Channelname 'train' is required for training"], {"validation": LIBSVM}, "1"),
    "another second channel, oldest": Told(["Channelname 'validation' is used for validation input"],
                                           {"train": LIBSVM, "test": LIBSVM}, "1"),
    "pipe, oldest": Told(["Pipe input mode for SageMaker XGBoost is not supported."], {"train": CSV}, "1", "text/csv",
                         mode="Pipe"),
    "content type, oldest": Told(["ContentType should be one of these options: 'text/libsvm', 'text/csv'."],
                                 {"train": LIBSVM}, "1", "application/x-parquet"),
    "hidden file, oldest": Told(["Hidden file found in the data path! Remove that before training."],
                                {"train": {"part": LIBSVM, ".DS_Store": "x"}}, "1"),
    "libsvm called csv, oldest": Told(
        ["Blankspace and colon found in firstline '0 0:0 1:0.5...' of file 'train/part'. Please ensure the file is in csv "
         "format."], {"train": LIBSVM}, "1", "csv"),
    "header, oldest": Told(
        ["Non-numeric value 'l' found in the header line 'label,a,b...' of file 'train/part'. CSV format require no header "
         "line in it. If header line is already removed, XGBoost does not accept non-numeric value in the data."],
        {"train": "label,a,b\n" + CSV}, "1", "csv"),
    "csv called libsvm, oldest": Told(
        ["Blankspace and colon not found in firstline '0,0,0.5...' of file 'train/part'. ContentType by defaullt is in "
         "libsvm. Please ensure the file is in libsvm format."], {"train": CSV}, "1"),
    "no delimiter, oldest": Told(["Could not determine delimiter on line abc"], {"train": "abc\ndef\n"}, "1", "csv"),
    "broken libsvm": Told(["Failed to load libsvm data with exception:\n", "train/part, line 41"],
                          {"train": LIBSVM + "1 0:x\n"}, "1"),
    "broken csv": Told(["Failed to load csv data with exception:\n", "train/part, line 41"], {"train": CSV + "1,2\n"}, "1",
                       "csv"),
    "only comments, oldest": Told(["Got input data without labels. Please check the input data set."],
                                  {"train": "# nothing\n\n"}, "1"),
    "label of logistic, oldest": Told(
        ["train/part, line 41", "Label must be in [0,1] for logistic regression task. If input is in csv format, ensure the "
         "first column is the label."], {"train": LIBSVM + "7 0:1\n"}, "1"),
    "label of softmax, oldest": Told(
        ["train/part, line 41", "Label must be in [0, num_class) for multi classification task. If input is in csv format, "
         "ensure the first column is the label."], {"train": LIBSVM + "7 0:1\n"}, "1", hyperparameters=MULTI),
    "label of Poisson, oldest": Told(["For Poisson Regression, label must be non-negative"], {"train": LIBSVM + "-1 0:1\n"},
                                     "1", hyperparameters={"objective": "count:poisson", "num_round": "2"}),
    "label of Tweedie, oldest": Told(["For Tweedie Regression, label must be non-negative"], {"train": LIBSVM + "-1 0:1\n"},
                                     "1", hyperparameters={"objective": "reg:tweedie", "num_round": "2"}),
    "more features in validation, oldest": Told(
        ["Feature names/Number of features mismatched between training and validation input. Please check features in "
         "training and validation data."], {"train": LIBSVM, "validation": "1 9:1\n"}, "1"),
    "a metric of another shape, oldest": Told(
        ["Given label size mismatched with prediction size. Please ensure the first column is label and the correct metric "
         "is applied."], {"train": LIBSVM}, "1", hyperparameters={**MULTI, "eval_metric": "rmse"}),
    "auc of one class, oldest": Told(
        ["Metric 'auc' cannot be computed with all positive or all negative samples. Please ensure labels in the datasets "
         "contain both positive and negative samples."], {"train": LIBSVM, "validation": "1 0:1\n1 0:2\n"}, "1",
        hyperparameters={**BINARY, "eval_metric": "auc"}),
    "base_score, oldest": Told(["Base_score must be in (0,1) for logistic objective function."], {"train": LIBSVM}, "1",
                               hyperparameters={**BINARY, "base_score": "1.5"}),
    # 1.5: engine errors that are the user's, in the later images.
    "label of logistic": Told(["label must be in [0,1] for logistic regression"], {"train": LIBSVM + "7 0:1\n"}, "1.7-1"),
    "label of softmax": Told(["label must be in [0, num_class)"], {"train": LIBSVM + "7 0:1\n"}, hyperparameters=MULTI),
    "auc of one class": Told(["AUC: the dataset only contains pos or neg samples"],
                             {"train": LIBSVM, "validation": "1 0:1\n"}, "1.3-1",
                             hyperparameters={**BINARY, "eval_metric": "auc"}),
    "base_score": Told(["base_score must be in (0,1) for the logistic loss"], {"train": LIBSVM},
                       hyperparameters={**BINARY, "base_score": "1.5"}),
    "gpu in an old image": Told(["GPU training is not supported yet."], {"train": LIBSVM}, "1.0-1",
                                hyperparameters={**BINARY, "tree_method": "gpu_hist"}),
    # 2.1: channels.
    "no train channel": Told(["Missing required channel: train"], {"validation": LIBSVM}),
    "extraneous channel": Told(["Extraneous channel found: test"], {"train": LIBSVM, "test": LIBSVM}),
    "channel configuration": Told(
        ["Channel configuration for 'train' channel is not supported: {'ContentType': 'image/png', 'TrainingInputMode': "
         "'File', 'S3DistributionType': 'FullyReplicated'}", "image/png is not an accepted ContentType: " + ACCEPTED],
        {"train": LIBSVM}, content_type="image/png"),
    "label size": Told(["text/csv;label_size=2 is not an accepted csv ContentType. Optional parameter label_size must be "
                        "equal to 1"], {"train": CSV}, content_type="text/csv;label_size=2"),
    "libsvm by pipe": Told(["Pipe mode not supported for LibSVM."], {"train": LIBSVM}, "1.7-1", mode="Pipe"),
    "pipe no longer": Told(["Pipe mode for CSV is no longer supported. Please use Fast File mode (default) instead. Set "
                            "input_mode='File' in your SageMaker Estimator or TrainingInput."], {"train": CSV}, "3.2-0",
                           "text/csv", mode="Pipe"),
    # 2.2, 2.4: files.
    "hidden file": Told(["Hidden file found in the data path! Remove that before training."],
                        {"train": {"part": LIBSVM, "deep/.hidden": "x"}}),
    "csv called libsvm": Told(["First line '0,0,0.5...' of file 'train/part' is not 'LIBSVM' format. Please ensure the file "
                               "is in 'LIBSVM' format."], {"train": CSV}),
    "no csv": Told(["First line 'abc...' of file 'train/part' is not 'CSV' format. Please ensure the file is in 'CSV' "
                    "format."], {"train": "abc\ndef\n"}, content_type="text/csv"),
    "one column": Told(["Delimiter ',' is not found in the line. Expected ',' as the delimiter to separate fields."],
                       {"train": "1\n0\n"}, content_type="text/csv"),
    "broken parquet": Told(["Failed to load parquet data with exception:\n"], {"train": "PAR1 or not\n"},
                           content_type="application/x-parquet"),
    "only comments": Told(["Got input data without labels. Please check the input data set."], {"train": "# nothing\n"}),
    # 2.6: no data.
    "no data": Told(["No data in training channel path", "input/data/train"], {"train": {}}),
    "no validation data": Told(["No data in validation channel path", "input/data/validation"],
                               {"train": LIBSVM, "validation": {}}),
}


def start(tmp_path, told: Told) -> training.Finished:
    channels = {name: files if isinstance(files, dict) else {"part": files} for name, files in told.channels.items()}
    root = training.write_root(tmp_path / "job", told.hyperparameters, channels, content_type=told.content_type)
    if told.mode == "Pipe":
        path = root / "input/config/inputdataconfig.json"
        path.write_text(path.read_text().replace('"File"', '"Pipe"'))
    return training.run(root, image_uri=training.image(told.image))


@pytest.mark.parametrize("case", TOLD)
def test_sentences(tmp_path, case):
    told = TOLD[case]
    finished = start(tmp_path, told)
    assert finished.code == 1, finished.log
    for piece in told.pieces:
        assert piece in finished.failure, finished.failure
    if told.image == "1":
        assert finished.failure.startswith("ClientError: "), finished.failure
    else:
        assert finished.failure.startswith("AlgorithmError: framework error: \n"), finished.failure
        assert finished.failure.endswith(", exit code: 1") and len(finished.failure) <= 1024


def test_a_long_reason_keeps_its_end(tmp_path):
    """The message is cut, not what stands around it."""
    told = Told([], {"train": LIBSVM}, hyperparameters={**BINARY, "m" * 3000: "1"})
    failure = start(tmp_path, told).failure
    assert len(failure) == 1024 and failure.endswith("..., exit code: 1")


def test_deep_folders_are_left_out_aloud(tmp_path):
    told = Told([], {"train": {"a/b/part": LIBSVM, "a/b/c/d/part": LIBSVM}})
    finished = start(tmp_path, told)
    assert finished.code == 0, finished.log
    assert "exceed the limit 3. Files in deeper sub dirs won't be loaded. Please adjust the folder structure accordingly." \
        in finished.log
    assert "Train matrix has 40 rows" in finished.log


def test_files_seen_twice_are_named(tmp_path):
    finished = start(tmp_path, Told([], {"train": LIBSVM, "validation": LIBSVM}))
    assert f"with same size {len(LIBSVM)} bytes). Note: Duplicate data in the training set and validation set is usually " \
        "not intentional and can impair the validity of the model evaluation by the validation score." in finished.log


# The second query's rows weigh 3, 3 and 4.
UNEVEN = "".join(f"{row % 2}:{weight} qid:{1 + row // 3} 0:{row}.5\n" for row, weight in enumerate((2, 2, 2, 3, 3, 4)))
EVEN = UNEVEN.replace(":4 ", ":3 ")
RANKING = {"objective": "rank:ndcg", "num_round": "2"}
WHOLE_QUERY = "When ranking, a weight counts for a whole query: give all rows of a qid the same one."


@pytest.mark.parametrize("channel", ["train", "validation"])
def test_a_query_of_uneven_weights_is_named(tmp_path, channel):
    told = Told([], {"train": EVEN, "validation": EVEN, channel: UNEVEN}, hyperparameters=RANKING)
    finished = start(tmp_path, told)
    assert finished.code == 1, finished.log
    for piece in (f"{channel}/part", "line 6", "weight 4 differs from the 3 that the query begins with", WHOLE_QUERY):
        assert piece in finished.failure, finished.failure
    assert start(tmp_path / "even", dataclasses.replace(told, channels={"train": EVEN, "validation": EVEN})).code == 0
    unranked = dataclasses.replace(told, hyperparameters={**BINARY, "objective": "reg:squarederror"})
    assert start(tmp_path / "unranked", unranked).code == 0, "weights are of rows when nothing is ranked"


def test_a_query_of_uneven_weights_ends_all_instances(tmp_path):
    roots = [training.write_root(tmp_path / str(number), RANKING, {"train": {"part": text}}, hosts=("algo-1", "algo-2"),
                                 host=f"algo-{number}") for number, text in ((1, EVEN), (2, UNEVEN))]
    done = subprocess.run(training.mpirun(roots, threads=1), capture_output=True, text=True, timeout=100,
                          env={**os.environ, **training.MPI_ENVIRONMENT})
    assert done.returncode != 0
    reasons = [(root / "output/failure").read_text() for root in roots]
    assert all(WHOLE_QUERY in reason and "train/part, line 6" in reason for reason in reasons), reasons
    assert "(on algo-2)" in reasons[0], "the instance that has the row is named by the other"
    assert not any((root / "model/xgboost-model").exists() for root in roots)


def test_an_instance_without_data(tmp_path):
    """The oldest image ends the job; later ones go on without the instance."""
    for image, code in (("1", 1), ("3.2-0", 0)):
        roots = []
        for number, files in ((1, {"part": LIBSVM}), (2, {})):
            root = training.write_root(tmp_path / image / str(number), BINARY, {"train": files}, hosts=("algo-1", "algo-2"),
                                       host=f"algo-{number}")
            roots.append(root)
        done = subprocess.run(training.mpirun(roots, image_uri=training.image(image), threads=1), capture_output=True,
                              text=True, timeout=100, env={**os.environ, **training.MPI_ENVIRONMENT})
        assert (done.returncode == 0) == (code == 0), done.stdout + done.stderr
        if code:
            assert "No file found in path input/data/train. If you are using ShardedByS3Key, make sure every machine get " \
                "at least one partition file" in (roots[1] / "output/failure").read_text()
        else:
            assert "Host algo-2 does not have training data. Will broadcast to cluster and this host algo-2 will not be used " \
                "in distributed training." in done.stdout
            assert "Host algo-2 not being used for distributed training." in done.stdout


def test_the_model_file_is_of_the_images_age(tmp_path):
    """xgboost 1.7 loads the 1.7 image's file and predicts as 3.2 does; nothing in the old images' files is newer."""
    rows = np.array([[i % 7, i % 5 + 0.5] for i in range(20)], np.float32)
    np.save(tmp_path / "rows.npy", rows)
    for tag in ("1", "1.7-1", "3.0-5", "3.2-0"):
        finished = start(tmp_path / tag, Told([], {"train": LIBSVM}, tag, hyperparameters=MULTI))
        assert finished.code == 0, finished.log
        model = finished.model.rename(tmp_path / f"{tag}.ubj")
        assert (b"iteration_indptr" in model.read_bytes()) == (tag == "3.2-0")
        if tag != "1.7-1":
            continue
        script = ("import numpy, sys, xgboost\nbooster = xgboost.Booster(model_file=sys.argv[1])\n"
                  "numpy.save(sys.argv[3], booster.predict(xgboost.DMatrix(numpy.load(sys.argv[2])), output_margin=True))\n")
        done = subprocess.run([ORACLE17, "-c", script, model, tmp_path / "rows.npy", tmp_path / "seen.npy"],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        expected = xgboost.Booster(model_file=str(model)).predict(xgboost.DMatrix(rows), output_margin=True)
        np.testing.assert_array_equal(np.load(tmp_path / "seen.npy"), expected)
