"""Models made with stock xgboost and packed as model.tar.gz, and endpoints made of them. The oracle is Booster.predict."""

from __future__ import annotations

import functools
import io
import tarfile
import tempfile
import pathlib

import numpy as np
import xgboost

LEGACY_IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:1"
MODERN_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
ROLE = "arn:aws:iam::123456789012:role/LocalSageMakerRole"


def data(objective: str = "reg:squarederror", rows: int = 300, features: int = 6, classes: int = 3):
    """(features [rows x features] f32 with some missing, labels) that the objective can learn."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(rows, features)).astype(np.float32)
    score = x[:, 0] * 2 - x[:, 1] + 0.3 * rng.normal(size=rows)
    if objective.startswith("multi:"):
        y = np.digitize(score, np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1]))
    elif objective.startswith("binary:"):
        y = (score > 0).astype(int)
    else:
        y = score
    x[rng.random(x.shape) < 0.1] = np.nan
    return x, y


@functools.cache
def booster(objective: str = "reg:squarederror", rounds: int = 8, classes: int = 3) -> xgboost.Booster:
    x, y = data(objective, classes=classes)
    params = {"objective": objective, "max_depth": 4, "seed": 1, "nthread": 1}
    if objective.startswith("multi:"):
        params["num_class"] = classes
    return xgboost.train(params, xgboost.DMatrix(x, y), rounds)


def model_bytes(model: xgboost.Booster, form: str) -> bytes:
    """The model file; `form` is json or ubj."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"model.{form}"
        model.save_model(path)
        return path.read_bytes()


def archive(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    """A tar archive of these regular files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def constant_archive(value: float) -> bytes:
    """A model that predicts `value`, whatever it is asked."""
    x = np.zeros((4, 6), dtype=np.float32)
    model = xgboost.train({"base_score": value, "max_depth": 1, "eta": 0, "objective": "reg:squarederror"},
                          xgboost.DMatrix(x, np.full(4, value)), 1)
    return archive({"xgboost-model": model_bytes(model, "ubj")})


def csv_text(x: np.ndarray) -> bytes:
    """Prediction rows as CSV, missing values as empty cells."""
    return "\n".join(",".join("" if np.isnan(v) else repr(float(v)) for v in row) for row in x).encode()


def libsvm_text(x: np.ndarray) -> bytes:
    """Prediction rows as libsvm with indices from 0 and a label to be ignored."""
    return "\n".join("5 " + " ".join(f"{i}:{float(v)!r}" for i, v in enumerate(row) if not np.isnan(v))
                     for row in x).encode()


class Hosting:
    """Makes models, configurations and endpoints on one server with names of one test."""

    def __init__(self, clients, bucket: str, prefix: str):
        self.sagemaker = clients.sagemaker
        self.runtime = clients.client("sagemaker-runtime")
        self.s3 = clients.s3
        self.bucket = bucket
        self.prefix = prefix

    def put(self, name: str, body: bytes) -> str:
        """Stores an archive; gives its URL."""
        self.s3.put_object(Bucket=self.bucket, Key=f"{name}/model.tar.gz", Body=body)
        return f"s3://{self.bucket}/{name}/model.tar.gz"

    def model(self, name: str, body: bytes, *, image: str = LEGACY_IMAGE, environment: dict | None = None) -> str:
        full = f"{self.prefix}-{name}"
        container = {"Image": image, "ModelDataUrl": self.put(full, body)}
        if environment is not None:
            container["Environment"] = environment
        self.sagemaker.create_model(ModelName=full, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        return full

    def config(self, name: str, variants: dict[str, tuple[str, float]], shadows: dict[str, tuple[str, float]] | None = None,
               **more) -> str:
        """`variants`: {variant name: (model name, weight)}."""
        full = f"{self.prefix}-{name}"
        if shadows:
            more["ShadowProductionVariants"] = [variant(n, *v) for n, v in shadows.items()]
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=full, ProductionVariants=[variant(n, *v) for n, v in variants.items()], **more)
        return full

    def endpoint(self, name: str, config: str, **more) -> str:
        full = f"{self.prefix}-{name}"
        self.sagemaker.create_endpoint(EndpointName=full, EndpointConfigName=config, **more)
        return full

    def serve(self, body: bytes, *, name: str = "e", image: str = LEGACY_IMAGE, environment: dict | None = None) -> str:
        """An endpoint with one variant, AllTraffic; gives its name."""
        model = self.model(name, body, image=image, environment=environment)
        return self.endpoint(name, self.config(name, {"AllTraffic": (model, 1)}))

    def invoke(self, endpoint: str, body: bytes, content_type: str | None = "text/csv", **more) -> dict:
        """The answer with Body read."""
        if content_type is not None:
            more["ContentType"] = content_type
        answer = self.runtime.invoke_endpoint(EndpointName=endpoint, Body=body, **more)
        answer["Body"] = answer["Body"].read()
        return answer


def variant(name: str, model: str, weight: float) -> dict:
    return {"VariantName": name, "ModelName": model, "InitialVariantWeight": weight, "InitialInstanceCount": 1,
            "InstanceType": "ml.m4.xlarge"}
